/** What a process prints, one JSON object per line; a line that is not complete yet is left for later. */
export function jsonLines<Line>(printed: string): Line[] {
  return printed
    .slice(0, printed.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Line);
}
