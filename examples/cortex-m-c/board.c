#include "board.h"

#include <string.h>

extern uint32_t stack_low, stack_top, data_from, data_start, data_end, zero_start, zero_end;
int main(void);
void reset(void);

/* The start of flash: the stack, and where execution begins. */
typedef union {
    const void *stack;
    void (*handler)(void);
} vector;
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {{.stack = &stack_top}, {.handler = reset}};

static const uint32_t PAINT = 0x5a5a5a5au;
static volatile uint32_t *const timer = (volatile uint32_t *)0xe000e010u;

void reset(void) {
    uint32_t *to;
    const uint32_t *from = &data_from;
    /* The stack below this frame is painted, so that its use can be seen afterwards. */
    volatile uint32_t here;
    for (to = &stack_low; to + 16 < (uint32_t *)&here; to++) {
        *to = PAINT;
    }
    for (to = &data_start; to < &data_end; to++) {
        *to = *from++;
    }
    for (to = &zero_start; to < &zero_end; to++) {
        *to = 0;
    }
#ifdef __ARM_FP
    *(volatile uint32_t *)0xe000ed88u |= 0xf00000u; /* the floating-point unit on */
    __asm volatile("dsb\n isb");
#endif
    board_exit((uint32_t)main());
}

uint32_t board_stack_bytes(void) {
    const uint32_t *at = &stack_low;
    while (*at == PAINT) {
        at++;
    }
    return (uint32_t)((const uint8_t *)&stack_top - (const uint8_t *)at);
}

static uint32_t ask(uint32_t what, const void *argument) {
    register uint32_t r0 __asm("r0") = what;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

int32_t board_open(const char *name) {
    uint32_t n = 0, block[3];
    while (name[n] != 0) {
        n++;
    }
    block[0] = (uint32_t)name;
    block[1] = 1; /* binary, for reading */
    block[2] = n;
    return (int32_t)ask(0x01, block);
}

uint32_t board_read(int32_t file, void *to, uint32_t n) {
    const uint32_t block[3] = {(uint32_t)file, (uint32_t)to, n};
    return ask(0x06, block);
}

void board_print(const char *text) {
    ask(0x04, text);
}

void board_print_number(uint32_t n) {
    char text[11];
    char *at = text + sizeof text - 1;
    *at = 0;
    do {
        *--at = (char)('0' + n % 10u);
        n /= 10u;
    } while (n != 0);
    board_print(at);
}

void board_exit(uint32_t status) {
    const uint32_t block[2] = {0x20026u, status};
    for (;;) {
        ask(0x20, block);
    }
}

void board_timer_start(void) {
    timer[1] = 0xffffffu;
    timer[2] = 0;
    timer[0] = 5u; /* on, by the processor's clock */
}

uint32_t board_timer_ticks(void) {
    return 0xffffffu - timer[2];
}

uint32_t board_loop_ticks(void) {
    uint32_t n = 200000;
    board_timer_start();
    __asm volatile("1: subs %0, #1\n bne 1b" : "+l"(n) : : "cc");
    return board_timer_ticks();
}

#if !defined(__ARM_ARCH_ISA_THUMB) || __ARM_ARCH_ISA_THUMB < 2
/* Subtraction in double precision: the sum with the other sign. The compiler's own is as long as its addition, 1.8 kB, where no
   instruction helps. */
double __aeabi_dadd(double a, double b);
double __aeabi_dsub(double a, double b);

double __aeabi_dsub(double a, double b) {
    uint64_t bits;
    memcpy(&bits, &b, sizeof bits);
    bits ^= (uint64_t)1 << 63;
    memcpy(&b, &bits, sizeof bits);
    return __aeabi_dadd(a, b);
}
#endif
