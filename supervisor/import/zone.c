/* SPDX-License-Identifier: MIT */
/* Local times through the C library's tzdata. */
#include "supervisor/import/zone.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/units.h"

static bool name_is_sane(const char *name)
{
    if (!*name || *name == '/' || *name == '.' || strstr(name, ".."))
        return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_+-/", *at))
            return false;
    return true;
}

static bool zone_exists(const char *name)
{
    char path[PATH_MAX];
    const char *dir = getenv("TZDIR");
    int n = snprintf(path, sizeof path, "%s/%s", dir && *dir ? dir : "/usr/share/zoneinfo", name);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    char magic[4] = "";
    bool is_zone = file && fread(magic, 1, 4, file) == 4 && memcmp(magic, "TZif", 4) == 0;
    if (file)
        (void)fclose(file); /* it was only read */
    return is_zone;
}

int zone_open(const char *name, struct zone *ret_zone, struct err *err)
{
    *ret_zone = (struct zone){.is_utc = true};
    if (!name || strcmp(name, "UTC") == 0 || strcmp(name, "Z") == 0)
        return 0;
    char printable[256], tz[PATH_MAX];
    if (!name_is_sane(name) || !zone_exists(name))
        return err_set(err, ERR_USAGE,
                       "--tz %s: no such time zone; expected a name like America/New_York or UTC "
                       "(they come with the package tzdata)",
                       err_printable(name, printable, sizeof printable));
    const char *old = getenv("TZ");
    char *kept = old ? strdup(old) : NULL;
    snprintf(tz, sizeof tz, ":%s", name);
    if ((old && !kept) || setenv("TZ", tz, 1) != 0) {
        free(kept);
        return err_set(err, ERR_SYSTEM, "out of memory");
    }
    tzset();
    *ret_zone = (struct zone){.old_tz = kept};
    return 0;
}

void zone_close(struct zone *zone)
{
    if (zone->is_utc)
        return;
    if (zone->old_tz)
        (void)setenv("TZ", zone->old_tz, 1); /* without memory the process keeps the zone */
    else
        (void)unsetenv("TZ");
    tzset();
    free(zone->old_tz);
    *zone = (struct zone){.is_utc = true};
}

static int64_t offset_at(int64_t utc_s)
{
    time_t seconds = (time_t)utc_s;
    struct tm tm;
    return localtime_r(&seconds, &tm) ? (int64_t)tm.tm_gmtoff : 0;
}

static int64_t floor_s(int64_t ns)
{
    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

/* Offsets on both sides of a change differ; the local time then has two readings, or none. */
static bool near_change(int64_t before_s, int64_t after_s, int64_t after_ns, int64_t *ns)
{
    int64_t local_s = floor_s(*ns), fraction = *ns - local_s * NS_PER_S;
    int64_t early_s = local_s - before_s, late_s = local_s - after_s;
    bool is_early = offset_at(early_s) == before_s, is_late = offset_at(late_s) == after_s;
    if (!is_early && !is_late)
        return false;
    int64_t utc_s = is_early ? early_s : late_s;
    if (is_early && is_late && early_s * NS_PER_S + fraction <= after_ns)
        utc_s = late_s;
    *ns = utc_s * NS_PER_S + fraction;
    return true;
}

bool zone_to_utc(struct zone *zone, int64_t after_ns, int64_t *ns)
{
    if (zone->is_utc)
        return true;
    int64_t day = time_day(*ns);
    /* The calendar's ends have no room for an offset. */
    if (*ns < INT64_MIN + 3 * NS_PER_DAY || *ns > INT64_MAX - 3 * NS_PER_DAY)
        return false;
    if (!zone->has_day || day != zone->day) {
        int64_t before_s = offset_at(day * 86400 - 86400), after_s = offset_at((day + 2) * 86400);
        zone->has_day = before_s == after_s;
        zone->day = day;
        zone->day_offset_s = before_s;
        if (!zone->has_day)
            return near_change(before_s, after_s, after_ns, ns);
    }
    *ns -= zone->day_offset_s * NS_PER_S;
    return true;
}
