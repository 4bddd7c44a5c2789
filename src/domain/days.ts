/** Whether a text that begins with YYYY-MM-DD names a day that there is. `Date` takes February 30th for the 2nd of March. */
export function isDay(text: string): boolean {
  const day = text.slice(0, 10);
  const midnight = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day);
}
