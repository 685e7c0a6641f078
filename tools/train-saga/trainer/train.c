// Trains saga on the batches that come in on standard input; see ../README.md.
#define _GNU_SOURCE
#include "model.h"
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 2 };

typedef struct {
    long steps, decay_from, warmup, seed;
    float muon_rate, adam_rate, weight_decay;
    const char *load, *init, *save;
} Options;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void parallel(void *(*run)(void *), void *first, size_t stride)
{
    pthread_t threads[THREADS];
    for (int i = 1; i < THREADS; i++) pthread_create(&threads[i], 0, run, (char *)first + i * stride);
    run(first);
    for (int i = 1; i < THREADS; i++) pthread_join(threads[i], 0);
}

// ---- The optimizer: Muon (Jordan et al. 2024) for the matrices of the layers, AdamW for the embedding and the norms.

static void product(float *c, const float *a, const float *b, int m, int n, int k, int b_transposed, pair *scratch)
{
    pair *left = scratch, *right = scratch + (long)m * k / 2;
    rows(left, a, (long)m * k);
    if (b_transposed) transposed(right, b, n, k, k);
    else pairs(right, b, k, n);
    gemm(c, n, left, k / 2, 1, right, n, m, n, k / 2, 0);
}

// The nearest semi-orthogonal matrix, roughly: five steps of Newton and Schulz on x[m][n], m <= n.
static void orthogonalize(float *x, int m, int n, float *scratch)
{
    const float a = 3.4445f, b = -4.7750f, c = 2.0315f;
    float *gram = scratch, *square = gram + (long)m * m, *next = square + (long)m * m;
    pair *halves = (pair *)(next + (long)m * n);
    float norm = 0;
    for (long i = 0; i < (long)m * n; i++) norm += x[i] * x[i];
    norm = 1 / (sqrtf(norm) + 1e-7f);
    for (long i = 0; i < (long)m * n; i++) x[i] *= norm;
    for (int step = 0; step < 5; step++) {
        product(gram, x, x, m, m, n, 1, halves);
        product(square, gram, gram, m, m, m, 0, halves);
        for (long i = 0; i < (long)m * m; i++) gram[i] = b * gram[i] + c * square[i];
        product(next, gram, x, m, n, m, 0, halves);
        for (long i = 0; i < (long)m * n; i++) x[i] = a * x[i] + next[i];
    }
}

static void transpose(float *to, const float *from, int rows, int columns)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) to[(long)c * rows + r] = from[(long)r * columns + c];
}

static void muon(Tensor *t, float rate, float decay, float *scratch)
{
    long n = (long)t->rows * t->columns;
    int tall = t->rows > t->columns;
    float *update = scratch, *turned = scratch + n, *rest = scratch + 2 * n;
    for (long i = 0; i < n; i++) {
        t->m[i] = 0.95f * t->m[i] + t->gradient[i];
        update[i] = t->gradient[i] + 0.95f * t->m[i];
    }
    if (tall) {
        transpose(turned, update, t->rows, t->columns);
        orthogonalize(turned, t->columns, t->rows, rest);
        transpose(update, turned, t->columns, t->rows);
    } else
        orthogonalize(update, t->rows, t->columns, rest);
    float scale = rate * sqrtf(tall ? (float)t->rows / t->columns : 1);
    for (long i = 0; i < n; i++) t->value[i] -= scale * update[i] + rate * decay * t->value[i];
}

static void adam(Tensor *t, float rate, long step)
{
    float b1 = 1 - powf(0.9f, step), b2 = 1 - powf(0.95f, step);
    for (long i = 0, n = (long)t->rows * t->columns; i < n; i++) {
        float g = t->gradient[i];
        t->m[i] = 0.9f * t->m[i] + 0.1f * g;
        t->v[i] = 0.95f * t->v[i] + 0.05f * g * g;
        t->value[i] -= rate * t->m[i] / b1 / (sqrtf(t->v[i] / b2) + 1e-10f);
    }
}

typedef struct {
    Model *model; Worker *workers; const Options *options; float *scratch; int index; long step; float rate; double weight;
} Update;

static void *update(void *argument)
{
    Update *u = argument;
    for (int i = u->index; i < u->model->tensors; i += THREADS) {
        Tensor *t = u->model->all[i];
        float scale = 1 / (float)u->weight;
        for (long j = 0, n = (long)t->rows * t->columns; j < n; j++) {
            float sum = 0;
            for (int k = 0; k < THREADS; k++) sum += u->workers[k].gradients[i][j];
            t->gradient[j] = sum * scale;
        }
        if (t->rows > 1 && t != &u->model->embedding) muon(t, u->rate * u->options->muon_rate, u->options->weight_decay, u->scratch);
        else adam(t, u->rate * u->options->adam_rate, u->step);
        model_prepare(t);
    }
    return 0;
}

static float rate_at(const Options *o, long step)
{
    if (step <= o->warmup) return (float)step / o->warmup;
    return step < o->decay_from ? 1 : (float)(o->steps - step + 1) / (o->steps - o->decay_from + 1);
}

// ---- Checkpoints: a mark, the shape, the step, then value, m and v of every tensor.

static const char mark[8] = "saga\0\0\0\1";

static void save(const Model *model, int64_t step, const char *path)
{
    char temporary[4096];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "wb");
    if (!file) { perror(temporary); exit(1); }
    int wrong = fwrite(mark, sizeof mark, 1, file) != 1 || fwrite(&model->shape, sizeof model->shape, 1, file) != 1
        || fwrite(&step, sizeof step, 1, file) != 1;
    for (int i = 0; i < model->tensors; i++) {
        const Tensor *t = model->all[i];
        size_t n = (size_t)t->rows * t->columns;
        wrong |= fwrite(t->value, 4, n, file) != n || fwrite(t->m, 4, n, file) != n || fwrite(t->v, 4, n, file) != n;
    }
    if (fclose(file) || wrong || rename(temporary, path)) { perror(path); exit(1); }
}

// The shape of the file takes the place of that of the flags.
static int64_t load(Model *model, const char *path)
{
    FILE *file = fopen(path, "rb");
    char seen[sizeof mark];
    Shape shape;
    int64_t step;
    if (!file) { perror(path); exit(1); }
    int wrong = fread(seen, sizeof seen, 1, file) != 1 || memcmp(seen, mark, sizeof mark) || fread(&shape, sizeof shape, 1, file) != 1
        || fread(&step, sizeof step, 1, file) != 1;
    if (!wrong) model_create(model, shape, 1);
    for (int i = 0; i < (wrong ? 0 : model->tensors); i++) {
        Tensor *t = model->all[i];
        size_t n = (size_t)t->rows * t->columns;
        wrong |= fread(t->value, 4, n, file) != n || fread(t->m, 4, n, file) != n || fread(t->v, 4, n, file) != n;
    }
    if (wrong || fgetc(file) != EOF) { fprintf(stderr, "%s: not a checkpoint, or cut short\n", path); exit(1); }
    fclose(file);
    return step;
}

// ---- A variant begins with what another model knows.

static void copy(Tensor *to, const Tensor *from)
{
    if (to->rows != from->rows || to->columns != from->columns) {
        fprintf(stderr, "a matrix of %d x %d cannot begin as one of %d x %d\n", to->rows, to->columns, from->rows, from->columns);
        exit(1);
    }
    memcpy(to->value, from->value, 4l * to->rows * to->columns);
}

// Fewer heads begin as the means of those that they replace (Ainslie et al. 2023, GQA).
static void pool(Tensor *to, const Tensor *from, int head_dim)
{
    int group = from->rows / to->rows;
    long head = (long)head_dim * to->columns;
    memset(to->value, 0, 4l * to->rows * to->columns);
    for (int i = 0; i < from->rows / head_dim; i++)
        for (long j = 0; j < head; j++) to->value[i / group * head + j] += from->value[i * head + j] / group;
}

static void init(Model *model, const char *path)
{
    Model from;
    load(&from, path);
    copy(&model->embedding, &from.embedding);
    copy(&model->norm, &from.norm);
    for (int l = 0; l < model->shape.layers; l++) {
        Layer *to = &model->layer[l], *source = &from.layer[l];
        copy(&to->attn_norm, &source->attn_norm), copy(&to->q, &source->q), copy(&to->output, &source->output),
            copy(&to->ffn_norm, &source->ffn_norm);
        copy(&to->gate, &source->gate), copy(&to->up, &source->up), copy(&to->down, &source->down);
        if (producer(&model->shape, l) == l)
            pool(&to->k, &source->k, model->shape.head_dim), pool(&to->v, &source->v, model->shape.head_dim);
    }
}

// ---- The loop.

static int read_batch(int *batch, int *length, uint16_t **tokens)
{
    int header[2];
    if (fread(header, sizeof header, 1, stdin) != 1) return 0;
    size_t count = (size_t)header[0] * (header[1] + 1);
    *tokens = realloc(*tokens, count * 2);
    *batch = header[0], *length = header[1];
    return fread(*tokens, 2, count, stdin) == count;
}

static void *run(void *worker)
{
    worker_run(worker);
    return 0;
}

static void train(Model *model, const Options *options, long step)
{
    Worker workers[THREADS];
    Update updates[THREADS];
    long largest = (long)model->shape.width * (model->shape.ffn > model->shape.width ? model->shape.ffn : model->shape.width);
    for (int i = 0; i < THREADS; i++) {
        worker_create(&workers[i], model, (size_t)9 << 30);
        updates[i] = (Update){ model, workers, options, aligned_alloc(64, largest * 32), i, 0, 0, 0 };
    }
    for (int i = 0; i < model->tensors; i++) model_prepare(model->all[i]);
    uint16_t *tokens = 0;
    int batch, length;
    double loss = 0, answers = 0, retrieved = 0, language = 0, start = now(), saved = start;
    long seen = 0;
    for (long i = 0; i < step; i++) read_batch(&batch, &length, &tokens); // the same stream as before the interruption
    start = now();
    for (long first = step; step < options->steps && read_batch(&batch, &length, &tokens);) {
        step++;
        double weight = 0, total = 0, right[LESSONS] = { 0 }, count[LESSONS] = { 0 };
        for (int i = 0; i < THREADS; i++) {
            workers[i].batch = batch / THREADS, workers[i].length = length;
            workers[i].tokens = tokens + (size_t)i * (batch / THREADS) * (length + 1);
        }
        parallel(run, workers, sizeof *workers);
        for (int i = 0; i < THREADS; i++) {
            total += workers[i].loss, weight += workers[i].weight;
            for (int j = 0; j < LESSONS; j++) right[j] += workers[i].right[j], count[j] += workers[i].seen[j];
        }
        for (int i = 0; i < THREADS; i++) updates[i].step = step, updates[i].rate = rate_at(options, step), updates[i].weight = weight;
        parallel(update, updates, sizeof *updates);
        seen += (long)batch * length;
        double keep = step - first < 100 ? 1 - 1.0 / (step - first) : 0.99;
        loss = keep * loss + (1 - keep) * total / weight;
        answers = keep * answers + (1 - keep) * right[ANSWER] / (count[ANSWER] + 1e-9);
        retrieved = keep * retrieved + (1 - keep) * right[RETRIEVED] / (count[RETRIEVED] + 1e-9);
        language = keep * language + (1 - keep) * right[LANGUAGE] / (count[LANGUAGE] + 1e-9);
        if (step % 100 == 0 || step - first < 3) {
            printf("step %ld length %d tokens %.2fM loss %.4f language %.4f answer %.4f retrieved %.4f rate %.3f %.0f tok/s\n",
                step, length, seen / 1e6, loss, language,
                answers, retrieved, rate_at(options, step), seen / (now() - start));
            fflush(stdout);
        }
        if (now() - saved > 60) save(model, step, options->save), saved = now();
    }
    save(model, step, options->save);
}

int main(int argc, char **argv)
{
    Shape shape = { 0, 128, 6, 4, 2, 32, 384, 0, 6, 1, 1e6f };
    Options options = { .steps = 1000, .decay_from = 1000, .warmup = 50, .muon_rate = 0.005f, .adam_rate = 3e-3f, .weight_decay = 0.01f,
        .save = "saga.checkpoint", .seed = 1 };
    static const struct option names[] = {
        { "vocabulary", 1, 0, 'V' }, { "width", 1, 0, 'd' }, { "layers", 1, 0, 'l' }, { "heads", 1, 0, 'h' }, { "kv-heads", 1, 0, 'k' },
        { "ffn", 1, 0, 'f' },
        { "window", 1, 0, 'w' }, { "full-every", 1, 0, 'e' }, { "shared", 1, 0, 's' }, { "rope-base", 1, 0, 'r' }, { "steps", 1, 0, 'n' },
        { "decay-from", 1, 0, 'D' },
        { "warmup", 1, 0, 'u' }, { "muon-rate", 1, 0, 'm' }, { "adam-rate", 1, 0, 'a' }, { "weight-decay", 1, 0, 'W' },
        { "seed", 1, 0, 'x' }, { "load", 1, 0, 'L' }, { "init", 1, 0, 'I' }, { "save", 1, 0, 'S' }, { 0 } };
    for (int c; (c = getopt_long(argc, argv, "", names, 0)) != -1;)
        switch (c) {
        case 'V': shape.vocabulary = atoi(optarg); break;
        case 'd': shape.width = atoi(optarg); break;
        case 'l': shape.layers = atoi(optarg); break;
        case 'h': shape.heads = atoi(optarg); break;
        case 'k': shape.kv_heads = atoi(optarg); break;
        case 'f': shape.ffn = atoi(optarg); break;
        case 'w': shape.window = atoi(optarg); break;
        case 'e': shape.full_every = atoi(optarg); break;
        case 's': shape.shared = atoi(optarg); break;
        case 'r': shape.rope_base = atof(optarg); break;
        case 'n': options.steps = atol(optarg); break;
        case 'D': options.decay_from = atol(optarg); break;
        case 'u': options.warmup = atol(optarg); break;
        case 'm': options.muon_rate = atof(optarg); break;
        case 'a': options.adam_rate = atof(optarg); break;
        case 'W': options.weight_decay = atof(optarg); break;
        case 'x': options.seed = atol(optarg); break;
        case 'L': options.load = optarg; break;
        case 'I': options.init = optarg; break;
        case 'S': options.save = optarg; break;
        default: return 2;
        }
    Model model;
    long step = 0;
    if (options.load) step = load(&model, options.load);
    else model_create(&model, shape, options.seed);
    if (options.init && !options.load) init(&model, options.init);
    train(&model, &options, step);
    return 0;
}
