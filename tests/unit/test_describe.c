/* SPDX-License-Identifier: MIT */
/* The promise: whatever a worker answers to --describe, the supervisor gets sound values or a named
 * error, and no child is left. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "supervisor/config/describe.h"

#define PARAM(default_text)                                                                        \
    "{\"name\":\"n\",\"alias\":\"len\",\"default\":" default_text                                  \
    ",\"minimum\":2,\"maximum\":null,\"whole\":true,\"what\":\"bars\"}"
#define COMPONENT(name, params)                                                                    \
    "{\"name\":\"" name                                                                            \
    "\",\"kind\":\"strategy\",\"what\":\"w\",\"protocols\":[\"SignalGenerator\"],"                 \
    "\"capabilities\":[\"reset\"],\"params\":[" params "],\"accepts\":\"n > 1\","                  \
    "\"rules\":{\"long_entry\":\"close > open\",\"long_exit\":\"\",\"short_entry\":\"\","          \
    "\"short_exit\":\"\",\"long_stop\":\"high\"}}"
#define ANSWER(components) "{\"engine\":\"" ADMF_VERSION "\",\"components\":[" components "]}"

/* A worker of a few lines of shell; the path is to be given to drop_worker. */
static char *make_worker(const char *script)
{
    char *path = strdup("/tmp/admf-test-describe-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    dprintf(fd, "#!/bin/sh\n%s\n", script);
    cr_assert(fchmod(fd, 0700) == 0);
    close(fd);
    return path;
}

static void drop_worker(char *path)
{
    unlink(path);
    free(path);
}

Test(describe, a_sound_answer_is_taken_whole)
{
    char *path = make_worker("test \"$1\" = --describe || exit 9\ncat <<'X'\n" ANSWER(
        COMPONENT("a", PARAM("5")) "," COMPONENT("b", "")) "\nX");
    struct describe *d = NULL;
    struct err err = {0};
    cr_assert(describe_load(path, &d, &err) == 0, "%s", err.text);
    const struct describe_component *c = describe_find(d, "a");
    cr_assert(d->components_n == 2 && c != NULL);
    cr_expect_str_eq(c->kind, "strategy");
    cr_expect_str_eq(c->protocols[0], "SignalGenerator");
    cr_expect_str_eq(c->capabilities[0], "reset");
    cr_expect_str_eq(c->accepts, "n > 1");
    cr_expect_str_eq(c->rules[0], "close > open");
    cr_expect_str_eq(c->rules[4], "", "a price that is not told is none");
    cr_expect_str_eq(c->rules[5], "high");
    cr_expect(c->protocols_n == 1 && c->capabilities_n == 1 && c->params_n == 1);
    cr_expect_str_eq(c->params[0].name, "n");
    cr_expect_str_eq(c->params[0].alias, "len");
    cr_expect(c->params[0].default_value == 5 && c->params[0].minimum == 2);
    cr_expect(isinf(c->params[0].maximum) && c->params[0].is_whole);
    cr_expect_null(describe_find(d, "c"));
    describe_destroy(d);
    drop_worker(path);
}

Test(describe, a_worker_gets_no_descriptor_but_the_standard_ones)
{
    int leak = dup(0); /* without close-on-exec */
    cr_assert(leak > 2);
    char *path = make_worker("for fd in /proc/self/fd/*; do case ${fd##*/} in 0|1|2) ;; *)\n"
                             "test -e /proc/$$/fd/${fd##*/} && test ${fd##*/} -lt 10 && "
                             "exit 7;; esac; done\ncat <<'X'\n" ANSWER(COMPONENT("a", "")) "\nX");
    struct describe *d = NULL;
    struct err err = {0};
    cr_expect(describe_load(path, &d, &err) == 0, "%s", err.text);
    describe_destroy(d);
    drop_worker(path);
    close(leak);
}

Test(describe, bad_answers_are_errors_with_a_name)
{
    static const struct {
        const char *what, *script, *text;
        enum err_kind kind;
    } rows[] = {
        {"fails", "exit 3", "ended with status 3", ERR_BUG},
        {"dies", "kill -SEGV $$", "ended by signal 11", ERR_BUG},
        {"says nothing", "exit 0", "not JSON", ERR_BUG},
        {"says garbage", "echo '{\"engine\": nonsense'", "not JSON at line 1", ERR_BUG},
        {"talks too long", "head -c 5000000 /dev/zero", "longer than 4 MiB", ERR_BUG},
        {"another version", "echo '{\"engine\":\"9.9\\\\u001b[31m\",\"components\":[]}'",
         "is version 9.9", ERR_SYSTEM},
        {"no components", "echo '" ANSWER("") "'", "`components` is not a list", ERR_BUG},
        {"a component that is none", "echo '" ANSWER("5") "'", "component 0: `name`", ERR_BUG},
        {"a name that is none", "echo '" ANSWER(COMPONENT("a b", "")) "'", "`name` is not a name",
         ERR_BUG},
        {"a parameter that is none", "echo '" ANSWER(COMPONENT("a", "7")) "'",
         "component a, parameter 0: `name`", ERR_BUG},
        {"a default out of range", "echo '" ANSWER(COMPONENT("a", PARAM("1"))) "'",
         "component a, parameter 0: `default` is not within", ERR_BUG},
        {"a default that is not whole", "echo '" ANSWER(COMPONENT("a", PARAM("2.5"))) "'",
         "`default` is not whole", ERR_BUG},
        {"a default that is text", "echo '" ANSWER(COMPONENT("a", PARAM("\"2\""))) "'",
         "`default` is not a number", ERR_BUG},
        {"one parameter twice", "echo '" ANSWER(COMPONENT("a", PARAM("2") "," PARAM("3"))) "'",
         "`n` is not a name or alias of one parameter alone", ERR_BUG},
        {"one component twice", "echo '" ANSWER(COMPONENT("a", "") "," COMPONENT("a", "")) "'",
         "the name of one component alone", ERR_BUG},
        {"a key twice", "echo '{\"engine\":1,\"engine\":2}'", "not JSON", ERR_BUG},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *path = make_worker(rows[i].script);
        struct describe *untouched = (struct describe *)path, *d = untouched;
        struct err err = {0};
        cr_expect(describe_load(path, &d, &err) < 0, "%s", rows[i].what);
        cr_expect(err.kind == rows[i].kind, "%s: %s", rows[i].what, err.text);
        cr_expect(strstr(err.text, rows[i].text) != NULL, "%s: %s", rows[i].what, err.text);
        cr_expect(d == untouched, "%s", rows[i].what);
        cr_expect(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "%s: a child is left",
                  rows[i].what);
        drop_worker(path);
    }
}

Test(describe, a_missing_worker_is_named)
{
    struct describe *d = NULL;
    struct err err = {0};
    cr_expect(describe_load("/nowhere/admf-worker", &d, &err) < 0);
    cr_expect(err.kind == ERR_SYSTEM && strstr(err.text, "/nowhere/admf-worker"), "%s", err.text);
}

Test(describe, the_environment_names_the_worker)
{
    setenv("ADMF_WORKER", "/some/worker", 1);
    cr_expect_str_eq(describe_worker_path(), "/some/worker");
    unsetenv("ADMF_WORKER");
    cr_expect(strstr(describe_worker_path(), "admf-worker") != NULL);
}
