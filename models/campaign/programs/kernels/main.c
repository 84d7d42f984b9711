/* kernels KERNEL [--pages POLICY] [--page-bytes N] [--mib N] [--seconds S] [--knob X] [--threads N]
 *
 * Sets the kernel up, prints "ready", repeats it for S seconds and prints "value X": nanoseconds per operation
 * (per byte for map-fill). POLICY: base, thp, pool-<size>, default (as malloc or the host has it). */
#define _GNU_SOURCE
#include "kernels.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 16

static const struct kernel *const groups[] = {access_kernels, structure_kernels, numeric_kernels, lifecycle_kernels};

struct worker {
    const struct kernel *kernel;
    struct state state;
    double deadline;
    uint64_t operations;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static const struct kernel *find_kernel(const char *name)
{
    for (size_t group = 0; group < sizeof groups / sizeof *groups; group++)
        for (const struct kernel *kernel = groups[group]; kernel->name; kernel++)
            if (!strcmp(kernel->name, name))
                return kernel;
    return NULL;
}

static void usage(void)
{
    fputs("kernels KERNEL [--pages POLICY] [--page-bytes N] [--mib N] [--seconds S] [--knob X] [--threads N]\n", stderr);
    for (size_t group = 0; group < sizeof groups / sizeof *groups; group++)
        for (const struct kernel *kernel = groups[group]; kernel->name; kernel++)
            fprintf(stderr, "  %-16s %s\n", kernel->name, kernel->about);
    exit(2);
}

static size_t thp_bytes(void)
{
    unsigned long bytes = 0;
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "r");
    if (file == NULL || fscanf(file, "%lu", &bytes) != 1)
        fail("hpage_pmd_size");
    fclose(file);
    return bytes;
}

static struct pages parse_pages(const char *policy, size_t page_bytes)
{
    if (!strcmp(policy, "base"))
        return (struct pages){PAGES_BASE, 0};
    if (!strcmp(policy, "thp"))
        return (struct pages){PAGES_THP, thp_bytes()};
    if (!strcmp(policy, "default"))
        return (struct pages){PAGES_DEFAULT, 0};
    if (strncmp(policy, "pool-", 5) || page_bytes < BASE_PAGE || page_bytes & (page_bytes - 1))
        usage();
    return (struct pages){PAGES_POOL, page_bytes};
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    do
        worker->operations += worker->kernel->step(&worker->state);
    while (now() < worker->deadline);
    return NULL;
}

/* Nanoseconds of wall time per operation, over all threads. */
static double measure(const struct kernel *kernel, const struct state *state, int threads, double seconds)
{
    static struct worker workers[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    double start = now();
    for (int i = 0; i < threads; i++) {
        workers[i] = (struct worker){kernel, *state, start + seconds, 0};
        workers[i].state.random += (uint64_t)i << 40;
        if (i > 0 && pthread_create(&ids[i], NULL, work, &workers[i]))
            fail("pthread_create");
    }
    work(&workers[0]);
    uint64_t operations = workers[0].operations;
    for (int i = 1; i < threads; i++) {
        pthread_join(ids[i], NULL);
        operations += workers[i].operations;
    }
    return (now() - start) * 1e9 / (double)operations;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"pages", required_argument, 0, 'p'},   {"page-bytes", required_argument, 0, 'b'},
        {"mib", required_argument, 0, 'm'},     {"seconds", required_argument, 0, 's'},
        {"knob", required_argument, 0, 'k'},    {"threads", required_argument, 0, 't'},
        {0},
    };
    const char *policy = "default";
    size_t page_bytes = 0;
    double mib = 64, seconds = 1;
    int threads = 1;
    struct state state = {.random = 88172645463325252};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p': policy = optarg; break;
        case 'b': page_bytes = strtoull(optarg, NULL, 10); break;
        case 'm': mib = atof(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'k': state.knob = atof(optarg); break;
        case 't': threads = atoi(optarg); break;
        default: usage();
        }
    }
    const struct kernel *kernel = optind + 1 == argc ? find_kernel(argv[optind]) : NULL;
    if (kernel == NULL || threads < 1 || threads > MAX_THREADS)
        usage();
    state.pages = parse_pages(policy, page_bytes);
    state.bytes = (size_t)(mib * (double)MIB);
    if (!kernel->maps_itself)
        state.memory = pages_map(&state.pages, state.bytes);
    kernel->setup(&state);
    puts("ready");
    fflush(stdout);
    printf("value %.6g\n", measure(kernel, &state, threads, seconds));
    return 0;
}
