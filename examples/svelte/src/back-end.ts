/** Yours: what the browser asks of your own back end. */

/** The ids of the jobs to show. */
export async function jobs(): Promise<string[]> {
  const response = await fetch('/api/jobs');
  return response.json();
}

/** Starts a failed job once more. @returns the id of the new one */
export async function retry(id: string): Promise<string> {
  const response = await fetch(`/api/jobs/${id}/retry`, { method: 'POST' });
  return response.json();
}
