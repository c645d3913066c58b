// Times in words that a person uses, in the person's own time zone. It reads no clock: `now` is an argument.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "14:02". */
export function clock(at: number): string {
  const date = new Date(at);
  return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
}

/** "just now", "14:02", "yesterday 14:02", "Tue 3 Mar 14:02", with the year where it is another one. */
export function moment(at: number, now: number): string {
  if (Math.abs(now - at) < MINUTE) return 'just now';
  const day = dayName(at, now);
  return day === 'today' ? clock(at) : `${day} ${clock(at)}`;
}

/** "14:02", or "Tue 3 Mar 14:02": what stays true however long it stands on a screen. */
export function stamp(at: number, now: number): string {
  return dayName(at, now) === 'today' ? clock(at) : `${longDay(at, now)} ${clock(at)}`;
}

/** "today", "yesterday", "Tue 3 Mar", "Tue 3 Mar 2026". */
export function dayName(at: number, now: number): string {
  const [day, today, yesterday] = [new Date(at), new Date(now), new Date(now)];
  yesterday.setDate(yesterday.getDate() - 1);
  if (day.toDateString() === today.toDateString()) return 'today';
  if (day.toDateString() === yesterday.toDateString()) return 'yesterday';
  return longDay(at, now);
}

function longDay(at: number, now: number): string {
  const day = new Date(at);
  const year = day.getFullYear() === new Date(now).getFullYear() ? {} : ({ year: 'numeric' } as const);
  return day.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short', ...year }).replace(',', '');
}

/** A length of time in its largest whole unit: "7 days", "1 hour", "12 seconds". */
export function duration(ms: number): string {
  const units = [[DAY, 'day'], [HOUR, 'hour'], [MINUTE, 'minute'], [SECOND, 'second']] as const;
  // Half a second of slack: a week less the time that a command took is still "7 days".
  const [unit, name] = units.find(([size]) => ms + SECOND / 2 >= size) ?? [SECOND, 'second'];
  const count = Math.max(0, Math.floor((ms + SECOND / 2) / unit));
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
