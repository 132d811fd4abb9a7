/* SPDX-License-Identifier: MIT */
/* A configuration's bytes, from a file or standard input, never more than one may have. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/config/yaml.h"

static int too_large(const char *name, struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "%s:1:1: larger than 1 MiB; a configuration is a page of text: write long lists "
                   "of values as {from: , to: , step: }",
                   name);
}

static int read_all(int fd, char *text, size_t *ret_n_bytes)
{
    size_t n = 0;
    while (n <= YAML_BYTES_MAX) {
        ssize_t got = read(fd, text + n, YAML_BYTES_MAX + 1 - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret_n_bytes = n;
    return 0;
}

static int read_fd(int fd, const char *name, char **ret_text, size_t *ret_n_bytes, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_NO_INPUT, "%s is a folder; name the configuration file in it",
                       name);
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > (off_t)YAML_BYTES_MAX)
        return too_large(name, err);
    char *text = malloc(YAML_BYTES_MAX + 2);
    if (!text)
        return err_set(err, ERR_SYSTEM, "no memory to read the configuration");
    size_t n = 0;
    int rc = read_all(fd, text, &n);
    if (rc < 0)
        rc = err_set_errno(err, ERR_IO, -rc, "%s cannot be read", name);
    else if (n > YAML_BYTES_MAX)
        rc = too_large(name, err);
    if (rc < 0) {
        free(text);
        return rc;
    }
    text[n] = 0;
    *ret_text = text;
    *ret_n_bytes = n;
    return 0;
}

int yaml_read_file(const char *path, char **ret_text, size_t *ret_n_bytes, struct err *err)
{
    if (!strcmp(path, "-"))
        return read_fd(STDIN_FILENO, "standard input", ret_text, ret_n_bytes, err);
    char name[512];
    err_printable(path, name, sizeof(name));
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_set_errno(err, ERR_NO_INPUT, errno, "%s cannot be opened; check the path", name);
    int rc = read_fd(fd, name, ret_text, ret_n_bytes, err);
    close(fd);
    return rc;
}
