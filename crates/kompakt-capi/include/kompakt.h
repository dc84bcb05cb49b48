/* The loader of .kompakt files, for C. Made from crates/kompakt-capi/src by cbindgen:
 *   cargo test -p kompakt-capi -- --ignored write_the_header
 */

#ifndef KOMPAKT_H
#define KOMPAKT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/*
 How a call ended.
 */
typedef enum kompakt_status {
  /*
   All is well.
   */
  KOMPAKT_STATUS_OK = 0,
  /*
   A pointer is null, a text is not UTF-8, or a number is out of range.
   */
  KOMPAKT_STATUS_ARGUMENT = 1,
  /*
   The file cannot be read.
   */
  KOMPAKT_STATUS_IO = 2,
  /*
   The file is not a sound container.
   */
  KOMPAKT_STATUS_FORMAT = 3,
  /*
   The network has nodes that cannot be run.
   */
  KOMPAKT_STATUS_UNSUPPORTED = 4,
  /*
   The RAM budget is too small, or a thread cannot be started.
   */
  KOMPAKT_STATUS_RESOURCES = 5,
  /*
   A bug of this library; the session may be closed, nothing else.
   */
  KOMPAKT_STATUS_INTERNAL = 6,
  /*
   The file is not signed by the key that was required.
   */
  KOMPAKT_STATUS_SIGNATURE = 7,
} kompakt_status;

/*
 A model made ready to run.
 */
typedef struct kompakt_session kompakt_session;

/*
 How a session is to be made. All zero is the default.
 */
typedef struct kompakt_options {
  /*
   Threads; 0 is one.
   */
  size_t n_threads;
  /*
   Images that are run at once; 0 is one. Longer batches are run in parts.
   */
  size_t max_batch;
  /*
   Bytes that weights and activations may take in memory; 0 is no limit.
   */
  size_t ram_budget_bytes;
  /*
   Read the file into memory instead of mapping it: safe where other programs may change the file in place.
   */
  bool in_memory;
  /*
   Check every checksum and payload before the first run.
   */
  bool verify;
  /*
   Layers may multiply integers of 8 bits where that is faster: the answers are approximate, and the file must hold ranges
   of values.
   */
  bool int8;
} kompakt_options;

/*
 What a session is to run on. All zero is the processor.
 */
typedef struct kompakt_device {
  /*
   `cpu`, `gpu`, `gpu:NAME` (a part of a name that kompakt_devices gives), or `auto`: a GPU where there is one that is
   not software. Null is `cpu`.
   */
  const char *name;
  /*
   On a GPU: bytes of video memory that the session may take; 0 is no limit. Layers that do not fit are brought from
   the file at every run.
   */
  size_t vram_budget_bytes;
  /*
   On a GPU: keep values between layers in 16 bits.
   */
  bool half_precision;
  /*
   On a GPU: when layers of the tier `stream` are decoded: `load` (once), `run` (at every run, which takes the least
   memory) or `host` (once, by the processor). Null is `load`.
   */
  const char *decode;
  /*
   On a GPU: seconds that it may take to answer, for a run or for the upload of a layer; then the call fails. 0 is 60, or
   600 for a GPU in software.
   */
  double timeout_s;
} kompakt_device;

/*
 An open size.
 */
typedef struct kompakt_range {
  /*
   At which the session runs.
   */
  size_t now;
  /*
   The least that it may be.
   */
  size_t least;
  /*
   The greatest that it may be.
   */
  size_t most;
  /*
   It may be least, least + step, and so on.
   */
  size_t step;
} kompakt_range;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 As kompakt_open, on a device. `options` may be null; of them a GPU takes `max_batch`, `in_memory`, `verify` and `int8`.

 A device that is not there, or too small, is an error whose text says what this machine has; only `auto` falls back on
 the processor. A library that was built without the feature `gpu` has the processor alone.

 # Safety
 As kompakt_open; `device` is null or points to a device whose texts are null or UTF-8 that ends in a zero.
 */
enum kompakt_status kompakt_open_on(const char *path,
                                    const struct kompakt_options *options,
                                    const struct kompakt_device *device,
                                    struct kompakt_session **session);

/*
 Writes the names of this machine's GPUs, best first, one a line, as a text that ends in a zero: as much of it as
 `capacity` bytes hold. Returns the bytes that all of it takes. No GPU, or a library without them, is an empty text.

 # Safety
 `names` is null or has room for `capacity` bytes.
 */
size_t kompakt_devices(char *names,
                       size_t capacity);

/*
 What went wrong in the last call of this thread that did not return KOMPAKT_STATUS_OK, as text. Valid until the
 thread's next call.
 */
const char *kompakt_last_error(void);

/*
 Opens a `.kompakt` file. `options` may be null. On success `*session` is to be given to kompakt_close.

 # Safety
 `path` is a text of UTF-8 that ends in a zero; `options` is null or points to options; `session` can be written.
 */
enum kompakt_status kompakt_open(const char *path,
                                 const struct kompakt_options *options,
                                 struct kompakt_session **session);

/*
 Opens a file whose bytes are in memory already: a part of the program, say. They are used in place and must outlive
 the session. `options` may be null.

 # Safety
 `bytes` points to `n_bytes` bytes that stay as they are until kompakt_close; the rest as for kompakt_open.
 */
enum kompakt_status kompakt_open_bytes(const uint8_t *bytes,
                                       size_t n_bytes,
                                       const struct kompakt_options *options,
                                       struct kompakt_session **session);

/*
 As kompakt_open, for a file that must be signed: only if the signature beside it, `path` with `.minisig` after it, was made
 of exactly these bytes with the secret half of `public_key` (the text of a .pub file of minisign, or its line that begins
 with RW). Else KOMPAKT_STATUS_SIGNATURE.

 # Safety
 As for kompakt_open; `public_key` is a text of UTF-8 that ends in a zero.
 */
enum kompakt_status kompakt_open_signed(const char *path,
                                        const char *public_key,
                                        const struct kompakt_options *options,
                                        struct kompakt_session **session);

/*
 Closes a session. Null is allowed.

 # Safety
 `session` is null or comes from kompakt_open or kompakt_open_bytes, and is not used afterwards.
 */
void kompakt_close(struct kompakt_session *session);

/*
 Numbers of one raw input: the product of kompakt_input_shape. 0 for null.

 # Safety
 `session` is null or open.
 */
size_t kompakt_input_len(const struct kompakt_session *session);

/*
 Numbers of one first output: the product of kompakt_output_shape. 0 for null.

 # Safety
 `session` is null or open.
 */
size_t kompakt_output_len(const struct kompakt_session *session);

/*
 Writes the first `capacity` dimensions of one raw input (without the batch) and returns how many there are.

 # Safety
 `session` is null or open; `dims` has room for `capacity` numbers.
 */
size_t kompakt_input_shape(const struct kompakt_session *session, size_t *dims, size_t capacity);

/*
 Writes the first `capacity` dimensions of the first output (without the batch) and returns how many there are.

 # Safety
 `session` is null or open; `dims` has room for `capacity` numbers.
 */
size_t kompakt_output_shape(const struct kompakt_session *session,
                            size_t *dims,
                            size_t capacity);

/*
 How many inputs the network has.

 # Safety
 `session` is null or open.
 */
size_t kompakt_n_inputs(const struct kompakt_session *session);

/*
 The name of input `index` in the network, or null where there is no such input. Valid until kompakt_close.

 # Safety
 `session` is null or open.
 */
const char *kompakt_input_name(const struct kompakt_session *session, size_t index);

/*
 Numbers of one input `index`: the product of its shape. 0 where there is no such input.

 # Safety
 `session` is null or open.
 */
size_t kompakt_input_len_at(const struct kompakt_session *session, size_t index);

/*
 Writes the first `capacity` dimensions of input `index` (without the batch) and returns how many there are; 0 where
 there is no such input.

 # Safety
 `session` is null or open; `dims` is null or has room for `capacity` numbers.
 */
size_t kompakt_input_shape_at(const struct kompakt_session *session,
                              size_t index,
                              size_t *dims,
                              size_t capacity);

/*
 How many outputs the network has.

 # Safety
 `session` is null or open.
 */
size_t kompakt_n_outputs(const struct kompakt_session *session);

/*
 The name of output `index` in the network, or null where there is no such output. Valid until kompakt_close.

 # Safety
 `session` is null or open.
 */
const char *kompakt_output_name(const struct kompakt_session *session, size_t index);

/*
 Numbers of one output `index`: the product of its shape. 0 where there is no such output.

 # Safety
 `session` is null or open.
 */
size_t kompakt_output_len_at(const struct kompakt_session *session, size_t index);

/*
 Writes the first `capacity` dimensions of output `index` (without the batch) and returns how many there are; 0 where
 there is no such output.

 # Safety
 `session` is null or open; `dims` is null or has room for `capacity` numbers.
 */
size_t kompakt_output_shape_at(const struct kompakt_session *session,
                               size_t index,
                               size_t *dims,
                               size_t capacity);

/*
 How many sizes the network leaves open: the length of a text, the height of a picture.

 # Safety
 `session` is null or open.
 */
size_t kompakt_n_sizes(const struct kompakt_session *session);

/*
 The name of open size `index`, or null where there is no such size. Valid until kompakt_close.

 # Safety
 `session` is null or open.
 */
const char *kompakt_size_name(const struct kompakt_session *session, size_t index);

/*
 Open size `index`; all zero where there is no such size.

 # Safety
 `session` is null or open.
 */
struct kompakt_range kompakt_size(const struct kompakt_session *session, size_t index);

/*
 Makes the session ready for other sizes: `sizes` holds one for each open size, 0 where it stays as it is. Afterwards lengths
 and shapes of inputs and outputs are others; names stay where they are. On an error the session stays as it was.

 # Safety
 `session` is open, and used by this thread alone; `sizes` holds kompakt_n_sizes numbers.
 */
enum kompakt_status kompakt_resize(struct kompakt_session *session,
                                   const size_t *sizes);

/*
 How many classes the file names.

 # Safety
 `session` is null or open.
 */
size_t kompakt_n_labels(const struct kompakt_session *session);

/*
 The name of a class, or null where the file has none. Valid until kompakt_close.

 # Safety
 `session` is null or open.
 */
const char *kompakt_label(const struct kompakt_session *session, size_t label);

/*
 Runs raw inputs: the file's preprocessing, then the network. Bytes of pictures are divided by 255 before.

 `input` is `[batch, kompakt_input_shape...]`, `output` `[batch, kompakt_output_shape...]`, row by row.

 # Safety
 `session` is open, and used by this thread alone; `input` holds `batch * kompakt_input_len` numbers, `output` has
 room for `batch * kompakt_output_len`.
 */
enum kompakt_status kompakt_run(struct kompakt_session *session,
                                const float *input,
                                size_t batch,
                                float *output);

/*
 As kompakt_run, with probabilities as output.

 # Safety
 As kompakt_run.
 */
enum kompakt_status kompakt_predict(struct kompakt_session *session,
                                    const float *input,
                                    size_t batch,
                                    float *output);

/*
 As kompakt_run, on inputs that are prepared already: the network alone.

 # Safety
 As kompakt_run, but `input` holds what the network takes.
 */
enum kompakt_status kompakt_run_prepared(struct kompakt_session *session,
                                         const float *input,
                                         size_t batch,
                                         float *output);

/*
 Runs a network of any number of inputs and gives all its outputs, in the order of their numbers. A network of one
 input gets raw inputs, as with kompakt_run.

 `inputs` and `outputs` point to as many pointers as there are inputs and outputs; input `i` is
 `[batch, kompakt_input_shape_at(i)...]`, output `i` `[batch, kompakt_output_shape_at(i)...]`. An output whose pointer is
 null is left out. Results are written where `outputs` point, without a copy; an output may be where an input is, such as a
 state that is carried on, and is copied then.

 # Safety
 `session` is open, and used by this thread alone; the pointers point to as many numbers as that.
 */
enum kompakt_status kompakt_run_all(struct kompakt_session *session,
                                    const float *const *inputs,
                                    size_t batch,
                                    float *const *outputs);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* KOMPAKT_H */
