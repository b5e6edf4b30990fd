/** Yours: who asks, and which jobs that user may see. This one takes anybody's word for it. */
export async function userOf(request: Request): Promise<string | undefined> {
  return request.headers.get('x-user') ?? undefined;
}

export async function jobsOf(user: string): Promise<ReadonlySet<string>> {
  return new Set([user]);
}
