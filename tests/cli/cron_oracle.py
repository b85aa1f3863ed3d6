"""When a cron expression fires in a time zone, worked out from the written rules with Python's zoneinfo: nothing
here is taken from libctcd. It lists all fires of a window, by going through the walls of each stretch of time
between two changes of the clock.

The rules (the README's table, and include/ctcd/schedule.h):
    day and weekday     vixie: either, both where one of the two begins with a star; robfig: either, both where one
                        is a star; cronos: both
    a wall left out     vixie: a fixed time fires at the end of the gap; cronos: anything does; robfig: nothing
    a wall shown twice  vixie: a fixed time fires the first time; cronos: one without star, range and step does;
                        others fire each time
    vixie               fixed: neither minute nor hour begins with a star; a change of more than 3 h is none
"""

import datetime
import zoneinfo

DAY = 86400
EPOCH = datetime.date(1970, 1, 1)
RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
NAMES = (None, None, None, "jan feb mar apr may jun jul aug sep oct nov dec".split(), "sun mon tue wed thu fri sat".split())

# In each: numbers, names, lists, ranges, steps, both days, ends of months, times in and around what is left out.
EXPRESSIONS = ("0 * * * *", "30 * * * *", "*/15 * * * *", "7-59/13 * * * *", "0 0 * * *", "30 2 * * *", "0,30 2 * * *",
               "15 1,2,3 * * *", "30 0 * * *", "59 23 * * *", "*/30 2 * * *", "0 */2 * * *", "20 0-4/2 * * *", "45 1-3 * * *",
               "5 4 * * sun", "0 3 1,15 * mon-fri", "10 2 */2 * 1", "0 1 31 * *", "15 2 8-14 3,10,11 0", "1 0 28-31 * *")
VIXIE_MOST = 3 * 3600


class Expression:
    def __init__(self, text):
        self.text = text
        fields = text.split()
        minutes, hours, self.days, self.months, weekdays = [self.read(f, i) for i, f in enumerate(fields)]
        self.weekdays = {w % 7 for w in weekdays}
        self.times = sorted(h * 3600 + m * 60 for h in hours for m in minutes)
        self.wild = fields[0][0] == "*" or fields[1][0] == "*"
        self.interval = any(c in fields[0] + fields[1] for c in "*-/")
        self.first_star = [fields[i][0] == "*" for i in (2, 4)]
        self.star = [any(item in ("*", "*/1") for item in fields[i].split(",")) for i in (2, 4)]
        self.known, self.listed = {}, {}

    @staticmethod
    def value(text, index):
        return NAMES[index].index(text.lower()) + RANGES[index][0] if text.isalpha() else int(text)

    def read(self, field, index):
        low, high = RANGES[index]
        found = set()
        for item in field.split(","):
            body, slash, step = item.partition("/")
            if body == "*":
                first, last = low, high
            else:
                first, dash, last = body.partition("-")
                first = self.value(first, index)
                last = self.value(last, index) if dash else high if slash else first
            found.update(range(first, last + 1, int(step or 1)))
        return found

    def both(self, dialect):
        """Must day and weekday fit?"""
        return {"vixie": any(self.first_star), "robfig": any(self.star), "cronos": True}[dialect]

    def on(self, day, both):
        """Does it fire on this date (days since 1970), whatever the time?"""
        key = day, both
        if key not in self.known:
            date = EPOCH + datetime.timedelta(days=day)
            by_date, by_weekday = date.day in self.days, date.isoweekday() % 7 in self.weekdays
            self.known[key] = date.month in self.months and (by_date and by_weekday if both else by_date or by_weekday)
        return self.known[key]

    def walls(self, first, end, dialect):
        """Those of [first, end) that it names, rising."""
        key = first, end, self.both(dialect)
        if key not in self.listed:
            if len(self.listed) > 100:
                self.listed.clear()
            found = []
            for day in range(first // DAY, (end - 1) // DAY + 1):
                if self.on(day, key[2]):
                    found += [wall for wall in [day * DAY + t for t in self.times] if first <= wall < end]
            self.listed[key] = found
        return self.listed[key]

    def moves(self, dialect):
        return dialect == "cronos" or dialect == "vixie" and not self.wild

    def once(self, dialect):
        return dialect == "cronos" and not self.interval or dialect == "vixie" and not self.wild


class Zone:
    """The changes of a zone's offset, found by asking zoneinfo."""

    def __init__(self, name):
        self.name = name
        self.zone = zoneinfo.ZoneInfo(name)

    def offset(self, second):
        when = datetime.datetime.fromtimestamp(second, datetime.timezone.utc).astimezone(self.zone)
        return int(when.utcoffset().total_seconds())

    def changes(self, first, end, step=DAY):
        """[(second, offset before, offset after)] of [first, end): looked for every `step` seconds."""
        found, second, before = [], first, self.offset(first)
        while second < end:
            later = min(second + step, end)
            after = self.offset(later)
            if after != before:
                low, high = second, later  # before holds at low, not at high
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self.offset(middle) == before else (low, middle)
                at = self.offset(high)
                found.append((high, before, at))
                second, before = high, at
            else:
                second = later
        return found

    def stretches(self, first, end, changes):
        """[(begin, end, offset)]"""
        begin, offset, found = first, changes[0][1] if changes else self.offset(first), []
        for second, _, after in changes:
            found.append((begin, second, offset))
            begin, offset = second, after
        return found + [(begin, end, offset)]


def fires(expression, dialect, stretches, first, end):
    """All of [first, end), rising. The stretches begin two days earlier, or more."""
    found = []
    moves, once = expression.moves(dialect), expression.once(dialect)
    for i, (begin, until, offset) in enumerate(stretches):
        shown = []  # the walls that were on the clock before, where that counts
        for j in range(i - 1, -1, -1):
            change = stretches[j + 1][2] - stretches[j][2]
            if dialect == "vixie" and change < -VIXIE_MOST:
                break
            shown.append((stretches[j][0] + stretches[j][2], stretches[j][1] + stretches[j][2]))
        if until > first and begin < end:
            for wall in expression.walls(begin + offset, until + offset, dialect):
                if first <= wall - offset < end and not (once and any(a <= wall < b for a, b in shown)):
                    found.append(wall - offset)
        change = offset - stretches[i - 1][2] if i else 0
        if moves and change > 0 and first <= begin < end and not (dialect == "vixie" and change > VIXIE_MOST):
            lost = expression.walls(begin + offset - change, begin + offset, dialect)
            if any(not (once and any(a <= wall < b for a, b in shown)) for wall in lost):
                found.append(begin)
    return sorted(set(found))


def text(second, offset):
    """RFC 3339."""
    minutes = abs(offset) // 60
    zone = "%s%02d:%02d" % ("-" if offset < 0 else "+", minutes // 60, minutes % 60) if offset else "Z"
    return "%04d-%02d-%02dT%02d:%02d:%02d" % _civil(second + offset) + zone


def texts(seconds, stretches, known):
    """In the zone; known: a dict of this zone's that was written before."""
    found, i = [], 0
    for second in seconds:
        if second not in known:
            while second >= stretches[i][1]:
                i += 1
            known[second] = text(second, stretches[i][2])
        found.append(known[second])
    return found


def second_from(instant):
    return int(datetime.datetime.fromisoformat(instant.replace("Z", "+00:00")).timestamp())


_days = {}


def _civil(wall):
    day, time = divmod(wall, DAY)
    if day not in _days:
        date = EPOCH + datetime.timedelta(days=day)
        _days[day] = date.year, date.month, date.day
    return _days[day] + (time // 3600, time // 60 % 60, time % 60)


def second_of(year):
    return (datetime.date(year, 1, 1) - EPOCH).days * DAY
