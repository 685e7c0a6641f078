// A Llama-style model: its shape, its parameters, and one thread's forward and backward pass.
#pragma once
#include "gemm.h"

enum { MAX_LAYERS = 16 };

typedef struct {
    int vocabulary, width, layers, heads, kv_heads, head_dim, ffn;
    int window;     // keys that a windowed layer sees, 0: all layers see all
    int full_every; // with a window: each full_every-th layer sees all
    int shared;     // so many neighbouring layers read the keys and values of the first of them; 1: each has its own
    float rope_base;
} Shape;

static inline int padded_vocabulary(const Shape *s) { return (s->vocabulary + 15) / 16 * 16; }
static inline int kv_width(const Shape *s) { return s->kv_heads * s->head_dim; }
static inline int producer(const Shape *s, int layer) { return layer / s->shared * s->shared; }
static inline int window_of(const Shape *s, int layer) { return s->window && (layer + 1) % s->full_every ? s->window : 0; }

// A matrix [rows][columns] as y = W x wants it; gamma vectors have one row.
typedef struct { float *value, *gradient, *m, *v; pair *forward, *backward; int rows, columns; } Tensor;

typedef struct { Tensor attn_norm, q, k, v, output, ffn_norm, gate, up, down; } Layer;

typedef struct {
    Shape shape;
    Tensor embedding, norm;
    Layer layer[MAX_LAYERS];
    Tensor *all[MAX_LAYERS * 9 + 2];
    int tensors;
    float *cosines, *sines; // [position][head_dim / 2]
} Model;

enum { NONE, LANGUAGE, ANSWER, RETRIEVED, LESSONS };

// What a thread works on and what came out. Gradients go to its own copies, [tensor].
typedef struct {
    Model *model;
    int batch, length;
    const uint16_t *tokens;  // [batch][length + 1], lesson in the upper 4 bits
    float *gradients[MAX_LAYERS * 9 + 2];
    char *memory;
    size_t capacity, used;
    double loss, weight;
    long right[LESSONS], seen[LESSONS];
} Worker;

void model_create(Model *model, Shape shape, uint64_t seed);
void model_prepare(Tensor *tensor); // bfloat16 copies of a matrix, after each step
void worker_create(Worker *worker, Model *model, size_t bytes);
void worker_run(Worker *worker);
