/* What the example needs of a board: the debugger's files and console (semihosting), the count of instructions. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Opens a file of the debugger's for reading; returns its handle, or -1. */
int32_t board_open(const char *name);
/* Reads n bytes; returns how many are missing. */
uint32_t board_read(int32_t file, void *to, uint32_t n);
void board_print(const char *text);
void board_print_number(uint32_t n);
void board_exit(uint32_t status);

/* Starts the system timer, which counts down from 2^24; an emulator ties it to instructions. */
void board_timer_start(void);
/* Ticks since then. */
uint32_t board_timer_ticks(void);
/* Ticks of a loop of 400,000 instructions, which say how many one is worth in an emulator. */
uint32_t board_loop_ticks(void);

/* The most bytes of stack that were in use so far. */
uint32_t board_stack_bytes(void);

#endif
