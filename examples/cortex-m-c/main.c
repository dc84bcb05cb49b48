/* Digits through the C that `kompakt export --bytes --c` makes of a network: the file `digits.bin`, 28 x 28 bytes an image, in; a line
 * with the class of each out, then the ticks of one run, those of a loop of known length, and the most stack in use. Built and run by `cargo xtask ci cortex-m-c`. */
#include "board.h"
#include "digits.h"

static uint8_t input[DIGITS_INPUT_LEN];
static float output[DIGITS_OUTPUT_LEN], arena[DIGITS_ARENA_LEN];

int main(void) {
    int32_t file = board_open("digits.bin");
    uint32_t ticks = 0, i;
    if (file < 0) {
        return 1;
    }
    while (board_read(file, input, DIGITS_INPUT_LEN) == 0) {
        uint32_t best = 0;
        board_timer_start();
        digits_run(input, output, arena);
        ticks = board_timer_ticks();
        for (i = 1; i < DIGITS_OUTPUT_LEN; i++) {
            best = output[i] > output[best] ? i : best;
        }
        board_print_number(best);
        board_print("\n");
    }
    board_print("ticks ");
    board_print_number(ticks);
    board_print("\nloop ");
    board_print_number(board_loop_ticks());
    board_print("\nstack ");
    board_print_number(board_stack_bytes());
    board_print("\n");
    return 0;
}
