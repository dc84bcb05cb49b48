/* Hides AVX-512, AMX and AVX-VNNI from a program and all that it starts: the instruction CPUID is made to fault (Linux,
 * arch_prctl), and answered here without their bits. Preloaded by `cargo xtask bench peers --isa avx2`. */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { SET_CPUID = 0x1012 };

static struct sigaction before;

static long allow(int cpuid) { return syscall(SYS_arch_prctl, SET_CPUID, cpuid); }

static void answer(gregset_t at) {
    uint32_t leaf = (uint32_t)at[REG_RAX], part = (uint32_t)at[REG_RCX], a, b, c, d;
    allow(1);
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf), "c"(part));
    allow(0);
    if (leaf == 7 && part == 0) {
        b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
        c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
        d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
    } else if (leaf == 7 && part == 1) {
        a &= ~(1u << 4 | 1u << 5 | 1u << 21 | 1u << 23);
        d &= ~(1u << 4 | 1u << 8 | 1u << 10 | 1u << 19);
    }
    at[REG_RAX] = a;
    at[REG_RBX] = b;
    at[REG_RCX] = c;
    at[REG_RDX] = d;
    at[REG_RIP] += 2;
}

static void fault(int number, siginfo_t *info, void *context) {
    greg_t *at = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)at[REG_RIP];
    /* A fault in data has an address; that of the instruction has none. */
    if (info->si_code == SI_KERNEL && code[0] == 0x0f && code[1] == 0xa2) {
        answer(at);
        return;
    }
    /* Somebody else's: it happens again, and is treated as it would have been. */
    sigaction(number, &before, NULL);
}

__attribute__((constructor)) static void hide(void) {
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigaction(SIGSEGV, &action, &before);
    if (allow(0) != 0) {
        fputs("this machine cannot hide instruction sets (arch_prctl ARCH_SET_CPUID)\n", stderr);
        _exit(3);
    }
}
