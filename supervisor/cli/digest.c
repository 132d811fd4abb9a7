/* SPDX-License-Identifier: MIT */
/* admf digest: one line of hex. */
#include "supervisor/cli/common.h"

int cmd_digest(const struct cli_args *args, struct err *err)
{
    struct store *store = NULL;
    struct run_record record = {0};
    char hex[33];
    int rc = cli_store_open(args, STORE_READ, &store, err);
    if (rc < 0)
        return rc;
    rc = store_run_get(store, args->positional[0], &record, err);
    if (rc == 0) {
        rc = store_digest(store, record.id, hex, err);
        run_record_fini(&record);
    }
    store_close(store);
    if (rc < 0)
        return rc;
    puts(hex);
    return cli_finish_stdout(err);
}
