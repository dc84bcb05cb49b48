/* Prints every output for an all-grey input:  cc outputs.c -I ../include -lkompakt_capi && ./a.out model.kompakt
   With numbers after the file: at these sizes of what the network leaves open, in its order. */
#include "kompakt.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    kompakt_session *session = NULL;
    if (argc < 2 || kompakt_open(argv[1], NULL, &session) != KOMPAKT_STATUS_OK) {
        fprintf(stderr, "outputs: %s\n", argc < 2 ? "which file?" : kompakt_last_error());
        return 1;
    }
    size_t sizes[16] = {0}, n_sizes = kompakt_n_sizes(session);
    for (size_t i = 0; i < n_sizes && i < 16 && i + 2 < (size_t)argc; i++) sizes[i] = strtoul(argv[i + 2], NULL, 10);
    if (kompakt_resize(session, sizes) != KOMPAKT_STATUS_OK) {
        fprintf(stderr, "outputs: %s\n", kompakt_last_error());
        kompakt_close(session);
        return 1;
    }
    size_t n_inputs = kompakt_n_inputs(session), n_outputs = kompakt_n_outputs(session);
    float **inputs = calloc(n_inputs, sizeof *inputs), **outputs = calloc(n_outputs, sizeof *outputs);
    for (size_t i = 0; i < n_inputs; i++) {
        size_t n = kompakt_input_len_at(session, i);
        inputs[i] = malloc(n * sizeof **inputs);
        for (size_t j = 0; j < n; j++) inputs[i][j] = 0.5f;
    }
    for (size_t i = 0; i < n_outputs; i++) outputs[i] = malloc(kompakt_output_len_at(session, i) * sizeof **outputs);
    int failed = kompakt_run_all(session, (const float *const *)inputs, 1, outputs) != KOMPAKT_STATUS_OK;
    if (failed) fprintf(stderr, "outputs: %s\n", kompakt_last_error());
    for (size_t i = 0; i < n_outputs && !failed; i++) {
        size_t dims[8], n_dims = kompakt_output_shape_at(session, i, dims, 8), n = kompakt_output_len_at(session, i);
        printf("%s", kompakt_output_name(session, i));
        for (size_t d = 0; d < n_dims && d < 8; d++) printf(" %zu", dims[d]);
        printf(":");
        for (size_t j = 0; j < n; j++) printf(" %.6f", outputs[i][j]);
        printf("\n");
    }
    for (size_t i = 0; i < n_inputs; i++) free(inputs[i]);
    for (size_t i = 0; i < n_outputs; i++) free(outputs[i]);
    free(inputs); free(outputs);
    kompakt_close(session);
    return failed;
}
