/** What can be wrong with what we were shown: fixed words, private, for the log. Types only. */

/** Why claims are refused. `expired` is said only when nothing else is wrong. */
export type ClaimsFlaw = 'wrong_claims' | 'wrong_audience' | 'wrong_issuer' | 'not_yet_valid' | 'expired';

/** Why a grant is refused; holds nothing of the token. */
export type GrantFlaw =
  | ClaimsFlaw
  | 'no_token'
  | 'malformed'
  | 'wrong_header'
  | 'wrong_signature'
  | 'no_such_key';

/** Why a body is not an answer about this invocation; `wrong_id` is another's answer, and worth an alarm. */
export type JobFlaw = 'not_json' | 'wrong_shape' | 'wrong_id';

/** Why a body is not the list that was asked for; `foreign_job` holds a job of another container: worth an alarm. */
export type ListFlaw = 'not_json' | 'wrong_shape' | 'foreign_job';

/** Why a response of upstream's cannot be used; `token_echoed` is worth an alarm. */
export type AnswerFlaw = JobFlaw | ListFlaw | 'content_encoding' | 'too_large' | 'not_utf8' | 'token_echoed';
