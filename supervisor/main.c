/* SPDX-License-Identifier: MIT */
/* admf: the supervisor, the one process that must not die. */
#include "supervisor/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
