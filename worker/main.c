/* SPDX-License-Identifier: MIT */
/* admf-worker: the program in which combinations live and die. */
#include "worker/serve.h"

int main(int argc, char **argv)
{
    return worker_main(argc, argv);
}
