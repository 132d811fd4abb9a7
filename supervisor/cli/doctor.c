/* SPDX-License-Identifier: MIT */
/* admf doctor: what a run needs of this machine, tried and not guessed. One check a function. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <lmdb.h>
#include <nng/nng.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <yaml.h>
#include <zstd.h>

#include "proto/units.h"
#include "supervisor/cli/common.h"
#include "supervisor/pool/pool.h"

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL };

struct finding {
    enum verdict verdict;
    char what[512];
    const char *remedy; /* "" where nothing is to be done */
};

static const char *const verdict_names[] = {"ok", "warn", "fail"};

static void say(struct finding *f, enum verdict verdict, const char *remedy, const char *fmt, ...)
    ADMF_PRINTF(4, 5);

static void say(struct finding *f, enum verdict verdict, const char *remedy, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->what, sizeof f->what, fmt, args);
    va_end(args);
    f->verdict = verdict;
    f->remedy = remedy;
}

/* ---- checks --------------------------------------------------------------------------------- */

static void check_kernel(const struct cli_args *args, struct finding *f)
{
    struct utsname u;
    (void)args;
    if (uname(&u) < 0)
        say(f, VERDICT_WARN, "", "uname fails: %s", strerror(errno));
    else
        say(f, VERDICT_OK, "", "%s %s %s", u.sysname, u.release, u.machine);
}

static void check_worker(const struct cli_args *args, struct finding *f)
{
    struct describe *d = NULL;
    struct err err = {0};
    (void)args;
    if (cli_describe(&d, &err) < 0) {
        say(f, VERDICT_FAIL, "build it (./dev build), or name it in $ADMF_WORKER", "%.400s",
            err.text);
        return;
    }
    say(f, VERDICT_OK, "", "%.300s answers with %u components", describe_worker_path(),
        d->components_n);
    describe_destroy(d);
}

/* A file that is sealed must refuse a writable map. */
static void check_memfd(const struct cli_args *args, struct finding *f)
{
    const char *remedy = "shared data needs a kernel of 5.1 or later with CONFIG_MEMFD_CREATE";
    (void)args;
    int fd = memfd_create("admf-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        say(f, VERDICT_FAIL, remedy, "memfd_create: %s", strerror(errno));
        return;
    }
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (ftruncate(fd, 4096) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
        say(f, VERDICT_FAIL, remedy, "sealing: %s", strerror(errno));
    else if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
        say(f, VERDICT_FAIL, remedy, "a sealed file can still be mapped for writing");
    else
        say(f, VERDICT_OK, "", "sealed memory files work; /dev/shm is not used");
    close(fd);
}

static void check_futex(const struct cli_args *args, struct finding *f)
{
    static uint32_t word = 1;
    (void)args;
    long rc = syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
    if (rc < 0 && errno == EAGAIN)
        say(f, VERDICT_OK, "", "futex works");
    else
        say(f, VERDICT_FAIL, "lockstep runs need futex", "futex: %s",
            rc < 0 ? strerror(errno) : "no answer");
}

/* Path of this process's cgroup below the hierarchy of version 2 (`0::`) or of memory (version 1).
 */
static bool own_cgroup(const char *marker, char *out, size_t out_bytes)
{
    char line[1024];
    FILE *file = fopen("/proc/self/cgroup", "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *at = strstr(line, marker);
        if (!at)
            continue;
        at[strcspn(at, "\n")] = '\0';
        snprintf(out, out_bytes, "%s", at + strlen(marker));
        found = true;
    }
    if (file)
        fclose(file);
    return found;
}

/* Limits are kept by rlimits; which cgroups there are is told for those who look after machines. */
static void check_limits(const struct cli_args *args, struct finding *f)
{
    char path[1024];
    (void)args;
    if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 &&
        own_cgroup("0::", path, sizeof path))
        say(f, VERDICT_OK, "",
            "runs limit workers by rlimit; this process is in %.300s (cgroup v2)", path);
    else if (own_cgroup(":memory:", path, sizeof path))
        say(f, VERDICT_OK, "",
            "runs limit workers by rlimit; this process is in %.300s (cgroup v1)", path);
    else
        say(f, VERDICT_OK, "", "runs limit workers by rlimit; there are no cgroups");
}

static void check_files(const struct cli_args *args, struct finding *f)
{
    struct rlimit limit;
    (void)args;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        say(f, VERDICT_WARN, "", "getrlimit: %s", strerror(errno));
    else if (limit.rlim_cur < 64)
        say(f, VERDICT_FAIL, "ulimit -n 1024", "only %llu open files allowed",
            (unsigned long long)limit.rlim_cur);
    else if (limit.rlim_cur < 256)
        say(f, VERDICT_WARN, "ulimit -n 1024", "%llu open files: enough for few workers",
            (unsigned long long)limit.rlim_cur);
    else
        say(f, VERDICT_OK, "", "%llu open files", (unsigned long long)limit.rlim_cur);
}

static void check_processors(const struct cli_args *args, struct finding *f)
{
    (void)args;
    uint32_t n = cli_processors_n();
    say(f, VERDICT_OK, "", "%u processor%s to run on: as many workers by default", n, cli_s(n));
}

static void check_memory(const struct cli_args *args, struct finding *f)
{
    char line[256], text[24];
    unsigned long long kib = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    (void)args;
    while (file && !kib && fgets(line, sizeof line, file))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = strtoull(line + 13, NULL, 10);
    if (file)
        fclose(file);
    bytes_format(kib * 1024, text, sizeof text);
    if (kib == 0)
        say(f, VERDICT_WARN, "", "/proc/meminfo does not say what is free");
    else if (kib < 256 * 1024)
        say(f, VERDICT_WARN, "close other programs, or sweep fewer series", "%s free", text);
    else
        say(f, VERDICT_OK, "", "%s free", text);
}

/* Tries the directory that a store would be made in: the nearest one above it that exists. */
static void check_absent_store(const char *dir, struct finding *f)
{
    char above[PATH_MAX], made[PATH_MAX + 32];
    snprintf(above, sizeof above, "%s", dir);
    while (access(above, F_OK) < 0 && strrchr(above, '/') > above)
        *strrchr(above, '/') = '\0';
    if (access(above, F_OK) < 0)
        snprintf(above, sizeof above, "%s", above[0] == '/' ? "/" : ".");
    snprintf(made, sizeof made, "%s/.admf-doctor-XXXXXX", above);
    if (mkdtemp(made)) {
        rmdir(made);
        say(f, VERDICT_OK, "", "%.300s: none yet, it is made on first use", dir);
    } else {
        say(f, VERDICT_FAIL, "name another with --store or $ADMF_STORE",
            "%.200s: cannot be made in %.200s: %s", dir, above, strerror(errno));
    }
}

/* The store itself where it exists, else the nearest directory above it that does. */
static void check_store(const struct cli_args *args, struct finding *f)
{
    const char *dir = store_default_dir(args->store);
    struct store *store = NULL;
    struct store_info info;
    struct err err = {0};
    char size[24];
    if (store_open(dir, STORE_READ, &store, &err) == 0) {
        bool ok = store_info(store, &info, &err) == 0;
        store_close(store);
        if (!ok)
            say(f, VERDICT_FAIL, "admf store verify names the damage", "%.400s", err.text);
        else if (access(dir, W_OK) < 0)
            say(f, VERDICT_FAIL, "name another with --store", "%.300s cannot be written: %s", dir,
                strerror(errno));
        else
            say(f, VERDICT_OK, "", "%.300s: %llu symbol%s, %llu run%s, %s", dir,
                (unsigned long long)info.symbols_n, cli_s(info.symbols_n),
                (unsigned long long)info.runs_n, cli_s(info.runs_n),
                bytes_format(info.file_bytes, size, sizeof size));
        return;
    }
    if (err.kind == ERR_DATA)
        say(f, VERDICT_FAIL, "admf store verify names the damage", "%.400s", err.text);
    else if (err.kind == ERR_NO_INPUT)
        check_absent_store(dir, f);
    else
        say(f, VERDICT_FAIL, "name another with --store or $ADMF_STORE", "%.400s", err.text);
}

/* Whether channels can have their addresses, DIR/admf-run-XXXXXX/wNUMBER, below a directory. */
static bool may_hold_sockets(const char *dir)
{
    char made[POOL_DIR_BYTES];
    int n = dir ? snprintf(made, sizeof made, "%s/admf-run-XXXXXX", dir) : -1;
    if (n < 0 || dir[0] != '/' || (size_t)n + 1 >= sizeof made) /* as the pool counts */
        return false;
    if (!mkdtemp(made))
        return false;
    rmdir(made);
    return true;
}

/* In the order in which a run tries them. */
static void check_sockets(const struct cli_args *args, struct finding *f)
{
    const char *const dirs[] = {getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
    (void)args;
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
        if (!may_hold_sockets(dirs[i]))
            continue;
        say(f, VERDICT_OK, "", "%.300s can hold sockets", dirs[i]);
        return;
    }
    say(f, VERDICT_FAIL, "set XDG_RUNTIME_DIR to a directory of yours with a short path",
        "no directory for sockets: neither $XDG_RUNTIME_DIR nor $TMPDIR nor /tmp can be used");
}

static void check_libraries(const struct cli_args *args, struct finding *f)
{
    int major, minor, patch;
    (void)args;
    yaml_get_version(&major, &minor, &patch);
    unsigned xx = XXH_versionNumber();
    say(f, VERDICT_OK, "",
        "nng %s, %s, libyaml %d.%d.%d, jansson %s, SQLite %s, zstd %s, xxhash %u.%u.%u",
        nng_version(), mdb_version(NULL, NULL, NULL), major, minor, patch, jansson_version_str(),
        sqlite3_libversion(), ZSTD_versionString(), xx / 10000, xx / 100 % 100, xx % 100);
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*check)(const struct cli_args *args, struct finding *f);
} checks[] = {
    {"worker", check_worker},       {"store", check_store},   {"sockets", check_sockets},
    {"memfd", check_memfd},         {"futex", check_futex},   {"limits", check_limits},
    {"files", check_files},         {"memory", check_memory}, {"processors", check_processors},
    {"libraries", check_libraries}, {"kernel", check_kernel},
};

static void print_finding(const char *name, const struct finding *f)
{
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    char shown[2048];
    bool colour = cli_may_colour(stdout);
    printf("%s%-4s%s  %-10s  %s\n", colour ? colours[f->verdict] : "", verdict_names[f->verdict],
           colour ? "\033[0m" : "", name, err_printable(f->what, shown, sizeof shown));
    if (f->remedy[0])
        printf("                  %s\n", f->remedy);
}

static json_t *finding_json(const char *name, const struct finding *f)
{
    char shown[2048];
    return json_pack("{s:s, s:s, s:s, s:s}", "check", name, "verdict", verdict_names[f->verdict],
                     "what", err_printable(f->what, shown, sizeof shown), "remedy", f->remedy);
}

int cmd_doctor(const struct cli_args *args, struct err *err)
{
    json_t *list = args->json ? json_array() : NULL;
    unsigned failed_n = 0;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        struct finding f = {.remedy = ""};
        checks[i].check(args, &f);
        failed_n += f.verdict == VERDICT_FAIL;
        if (list)
            json_array_append_new(list, finding_json(checks[i].name, &f));
        else
            print_finding(checks[i].name, &f);
    }
    int rc = list ? cli_print_json(list, err) : cli_finish_stdout(err);
    if (rc == 0 && failed_n > 0)
        return err_set(err, ERR_SYSTEM, "%u of %zu checks failed", failed_n,
                       sizeof checks / sizeof *checks);
    return rc;
}
