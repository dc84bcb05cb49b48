/* Classifies an all-grey picture:  cc classify.c -I ../include -lkompakt_capi && ./a.out model.kompakt */
#include "kompakt.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    kompakt_session *session = NULL;
    if (argc < 2 || kompakt_open(argv[1], NULL, &session) != KOMPAKT_STATUS_OK) {
        fprintf(stderr, "classify: %s\n", argc < 2 ? "which file?" : kompakt_last_error());
        return 1;
    }
    size_t n_in = kompakt_input_len(session), n_out = kompakt_output_len(session), best = 0;
    float *image = malloc(n_in * sizeof *image), *likely = malloc(n_out * sizeof *likely);
    for (size_t i = 0; i < n_in; i++) image[i] = 0.5f;
    if (kompakt_predict(session, image, 1, likely) == KOMPAKT_STATUS_OK) {
        for (size_t i = 1; i < n_out; i++) if (likely[i] > likely[best]) best = i;
        const char *label = kompakt_label(session, best);
        printf("%zu %s %.6f\n", best, label ? label : "-", likely[best]);
    }
    free(image); free(likely);
    kompakt_close(session);
    return 0;
}
