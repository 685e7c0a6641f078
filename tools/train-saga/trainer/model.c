#include "model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const float lesson_weight[LESSONS] = { 0, 0.1f, 1, 1 };
static const float epsilon = 1e-5f;

enum { QUERIES = 64, LOGIT_ROWS = 512, MAX_POSITIONS = 8192 };

static uint64_t random_state;

static double uniform(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return ((random_state >> 11) + 0.5) / (double)(1ull << 53);
}

static float normal(void) { return (float)(sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform())); }

static void create(Model *model, Tensor *t, int rows, int columns, float deviation)
{
    long n = (long)rows * columns;
    *t = (Tensor){ aligned_alloc(64, n * 4), aligned_alloc(64, n * 4), calloc(n, 4), calloc(n, 4), 0, 0, rows, columns };
    for (long i = 0; i < n; i++)
        t->value[i] = rows == 1 ? 1 : deviation * normal();
    if (rows > 1) {
        t->forward = aligned_alloc(64, n * 2);
        t->backward = aligned_alloc(64, n * 2);
    }
    model->all[model->tensors++] = t;
}

void model_create(Model *model, Shape shape, uint64_t seed)
{
    *model = (Model){ .shape = shape };
    random_state = seed * 0x9e3779b97f4a7c15ull + 1;
    int width = shape.width, q = shape.heads * shape.head_dim;
    float in = 1 / sqrtf(width), out = in / sqrtf(2 * shape.layers);
    create(model, &model->embedding, padded_vocabulary(&shape), width, 0.05f);
    for (int l = 0; l < shape.layers; l++) {
        Layer *layer = &model->layer[l];
        create(model, &layer->attn_norm, 1, width, 0);
        create(model, &layer->q, q, width, in);
        if (producer(&shape, l) == l) {
            create(model, &layer->k, kv_width(&shape), width, in);
            create(model, &layer->v, kv_width(&shape), width, in);
        }
        create(model, &layer->output, width, q, out);
        create(model, &layer->ffn_norm, 1, width, 0);
        create(model, &layer->gate, shape.ffn, width, in);
        create(model, &layer->up, shape.ffn, width, in);
        create(model, &layer->down, width, shape.ffn, out);
    }
    create(model, &model->norm, 1, width, 0);
    int half = shape.head_dim / 2;
    model->cosines = malloc(sizeof(float) * MAX_POSITIONS * half);
    model->sines = malloc(sizeof(float) * MAX_POSITIONS * half);
    for (int t = 0; t < MAX_POSITIONS; t++)
        for (int i = 0; i < half; i++) {
            double angle = t * pow(shape.rope_base, -(double)i / half);
            model->cosines[t * half + i] = (float)cos(angle);
            model->sines[t * half + i] = (float)sin(angle);
        }
}

void model_prepare(Tensor *t)
{
    if (t->rows == 1) return;
    transposed(t->forward, t->value, t->rows, t->columns, t->columns);
    pairs(t->backward, t->value, t->rows, t->columns);
}

void worker_create(Worker *worker, Model *model, size_t bytes)
{
    *worker = (Worker){ .model = model, .memory = aligned_alloc(64, bytes), .capacity = bytes };
    for (int i = 0; i < model->tensors; i++)
        worker->gradients[i] = aligned_alloc(64, 4l * model->all[i]->rows * model->all[i]->columns);
}

static void *take(Worker *w, size_t bytes)
{
    void *result = w->memory + w->used;
    w->used += (bytes + 63) / 64 * 64;
    if (w->used > w->capacity) {
        fprintf(stderr, "a worker needs more than %zu bytes\n", w->capacity);
        exit(1);
    }
    return result;
}

static float *floats(Worker *w, size_t count) { return take(w, count * 4); }
static pair *halves(Worker *w, size_t count) { return take(w, count * 2); }

// y[n][rows] (+)= x W^T, dx[n][columns] (+)= dy W, dW += dy^T x.
static void linear(float *y, const pair *x_rows, const Tensor *w, int n)
{
    gemm(y, w->rows, x_rows, w->columns / 2, 1, w->forward, w->rows, n, w->rows, w->columns / 2, 0);
}

static void linear_input(float *dx, const pair *dy_rows, const Tensor *w, int n, int add)
{
    gemm(dx, w->columns, dy_rows, w->rows / 2, 1, w->backward, w->columns, n, w->columns, w->rows / 2, add);
}

static void linear_weight(float *dw, const pair *dy_pairs, const pair *x_pairs, const Tensor *w, int n)
{
    gemm(dw, w->columns, dy_pairs, 1, w->rows, x_pairs, w->columns, w->rows, w->columns, n / 2, 1);
}

static void rms_norm(float *y, float *scale, const float *x, const float *gamma, int n, int width)
{
    for (int t = 0; t < n; t++, x += width, y += width) {
        float squares = 0;
        for (int i = 0; i < width; i++) squares += x[i] * x[i];
        scale[t] = 1 / sqrtf(squares / width + epsilon);
        for (int i = 0; i < width; i++) y[i] = x[i] * scale[t] * gamma[i];
    }
}

static void rms_norm_back(float *dx, float *dgamma, const float *dy, const float *x, const float *scale, const float *gamma, int n,
    int width)
{
    for (int t = 0; t < n; t++, x += width, dx += width, dy += width) {
        float r = scale[t], dot = 0;
        for (int i = 0; i < width; i++) {
            dot += dy[i] * gamma[i] * x[i];
            dgamma[i] += dy[i] * x[i] * r;
        }
        dot *= r * r * r / width;
        for (int i = 0; i < width; i++) dx[i] += dy[i] * gamma[i] * r - x[i] * dot;
    }
}

// Rotary embedding of neighbouring pairs; direction -1 undoes it, for the backward pass.
static void rope(const Model *model, float *x, int n, int length, int heads, float direction)
{
    int half = model->shape.head_dim / 2;
    for (int t = 0; t < n; t++) {
        const float *c = model->cosines + t % length * half, *s = model->sines + t % length * half;
        for (int h = 0; h < heads; h++, x += 2 * half)
            for (int i = 0; i < half; i++) {
                float a = x[2 * i], b = x[2 * i + 1], sine = direction * s[i];
                x[2 * i] = a * c[i] - b * sine;
                x[2 * i + 1] = a * sine + b * c[i];
            }
    }
}

// What the backward pass needs of a layer. Pairs are along tokens unless said.
typedef struct {
    float *in, *norm_scale, *attention, *middle, *ffn_scale, *gate, *up;
    pair *norm_pairs, *attention_pairs, *ffn_pairs, *act_pairs;
    pair *q_rows, *q_pairs, *probabilities; // probabilities: rows [batch][head][query][key]
    pair *k_pairs, *k_transposed, *v_pairs, *v_transposed; // transposed: [batch][kv head][dim / 2][key]
    float *dk, *dv;
} Saved;

static void split_heads(Worker *w, pair *to, const float *from)
{
    const Shape *s = &w->model->shape;
    for (int b = 0; b < w->batch; b++)
        for (int h = 0; h < s->kv_heads; h++)
            transposed(to + ((long)b * s->kv_heads + h) * s->head_dim / 2 * w->length,
                from + (long)b * w->length * kv_width(s) + h * s->head_dim,
                w->length, s->head_dim, kv_width(s));
}

static int first_key(int window, int query) { return window && query >= window ? (query - window + 1) / 16 * 16 : 0; }

static void softmax(float *scores, pair *to, int query, int from, int count, int window)
{
    int first = window && query >= window ? query - window + 1 : 0, last = query - from; // last, begin: relative to from
    int begin = first - from;
    float most = -1e30f, sum = 0;
    for (int j = begin; j <= last; j++) most = scores[j] > most ? scores[j] : most;
    for (int j = begin; j <= last; j++) sum += scores[j] = expf(scores[j] - most);
    sum = 1 / sum;
    for (int j = begin; j <= last; j++) scores[j] *= sum;
    for (int j = 0; j < begin; j++) scores[j] = 0;
    for (int j = last + 1; j < count; j++) scores[j] = 0;
    rows(to, scores, count);
}

static void attend(Worker *w, Saved *c, const Saved *kv, int window)
{
    const Shape *s = &w->model->shape;
    int length = w->length, dim = s->head_dim, width = s->heads * dim, kvw = kv_width(s), group = s->heads / s->kv_heads;
    size_t mark = w->used;
    float *scores = floats(w, (size_t)QUERIES * length);
    for (int b = 0; b < w->batch; b++)
        for (int h = 0; h < s->heads; h++) {
            long at = (long)b * length;
            const pair *keys = kv->k_transposed + ((long)b * s->kv_heads + h / group) * dim / 2 * length;
            pair *p = c->probabilities + ((long)b * s->heads + h) * length * length / 2;
            for (int q0 = 0; q0 < length; q0 += QUERIES) {
                int from = first_key(window, q0), count = q0 + QUERIES - from;
                gemm(scores, count, c->q_rows + ((at + q0) * width + h * dim) / 2, width / 2, 1, keys + from, length, QUERIES, count,
                    dim / 2, 0);
                for (int i = 0; i < QUERIES; i++)
                    softmax(scores + (long)i * count, p + ((long)(q0 + i) * length + from) / 2, q0 + i, from, count, window);
                gemm(c->attention + (at + q0) * width + h * dim, width, p + ((long)q0 * length + from) / 2, length / 2, 1,
                    kv->v_pairs + (at + from) / 2 * kvw + h / group * dim, kvw, QUERIES, dim, count / 2, 0);
            }
        }
    w->used = mark;
}

static pair join(pair a, pair b, int high) { return high ? a >> 16 | (b & 0xffff0000u) : (a & 0xffff) | b << 16; }

// Rows of pairs along keys, two at a time, as pairs along queries: to[query / 2][key].
static void query_pairs(pair *to, const pair *from, long stride, int count)
{
    for (int i = 0; i < QUERIES; i += 2) {
        const pair *a = from + i * stride, *b = a + stride;
        pair *out = to + (long)i / 2 * count;
        for (int j = 0; j < count / 2; j++) {
            out[2 * j] = join(a[j], b[j], 0);
            out[2 * j + 1] = join(a[j], b[j], 1);
        }
    }
}

static float as_float(uint32_t bits) { float f; memcpy(&f, &bits, 4); return f; }

// From the gradient of the attention's output (dy) to those of queries, keys and values. dq is not yet scaled by 1 / sqrt(dim).
static void attend_back(Worker *w, Saved *c, Saved *kv, const float *dy, float *dq, int window)
{
    const Shape *s = &w->model->shape;
    int length = w->length, dim = s->head_dim, width = s->heads * dim, kvw = kv_width(s), group = s->heads / s->kv_heads;
    long n = (long)w->batch * length;
    size_t mark = w->used;
    pair *dy_rows = halves(w, n * width), *dy_pairs = halves(w, n * width);
    rows(dy_rows, dy, n * width);
    pairs(dy_pairs, dy, n, width);
    float *ds = floats(w, (size_t)QUERIES * length);
    pair *ds_rows = halves(w, (size_t)QUERIES * length), *ds_pairs = halves(w, (size_t)QUERIES * length),
        *p_pairs = halves(w, (size_t)QUERIES * length);
    for (int b = 0; b < w->batch; b++)
        for (int h = 0; h < s->heads; h++) {
            long at = (long)b * length;
            const pair *values = kv->v_transposed + ((long)b * s->kv_heads + h / group) * dim / 2 * length;
            const pair *p = c->probabilities + ((long)b * s->heads + h) * length * length / 2;
            for (int q0 = 0; q0 < length; q0 += QUERIES) {
                int from = first_key(window, q0), count = q0 + QUERIES - from;
                gemm(ds, count, dy_rows + ((at + q0) * width + h * dim) / 2, width / 2, 1, values + from, length, QUERIES, count,
                    dim / 2, 0);
                for (int i = 0; i < QUERIES; i++) {
                    const float *g = dy + (at + q0 + i) * width + h * dim, *y = c->attention + (at + q0 + i) * width + h * dim;
                    const uint16_t *pi = (const uint16_t *)(p + ((long)(q0 + i) * length + from) / 2);
                    float *di = ds + (long)i * count, delta = 0;
                    for (int j = 0; j < dim; j++) delta += g[j] * y[j];
                    for (int j = 0; j < count; j++) di[j] = as_float((uint32_t)pi[j] << 16) * (di[j] - delta);
                }
                rows(ds_rows, ds, (long)QUERIES * count);
                query_pairs(ds_pairs, ds_rows, count / 2, count);
                query_pairs(p_pairs, p + ((long)q0 * length + from) / 2, length / 2, count);
                long kv_at = (at + from) * kvw + h / group * dim, q_at = (at + q0) / 2 * width + h * dim;
                gemm(dq + (at + q0) * width + h * dim, width, ds_rows, count / 2, 1, kv->k_pairs + (at + from) / 2 * kvw + h / group * dim,
                    kvw, QUERIES, dim, count / 2, 0);
                gemm(kv->dk + kv_at, kvw, ds_pairs, 1, count, c->q_pairs + q_at, width, count, dim, QUERIES / 2, 1);
                gemm(kv->dv + kv_at, kvw, p_pairs, 1, count, dy_pairs + q_at, width, count, dim, QUERIES / 2, 1);
            }
        }
    w->used = mark;
}

static float *forward_layer(Worker *w, Saved *saved, int l, float *x)
{
    const Model *model = w->model;
    const Shape *s = &model->shape;
    const Layer *layer = &model->layer[l];
    int width = s->width, q = s->heads * s->head_dim, kvw = kv_width(s), n = w->batch * w->length;
    Saved *c = saved + l, *kv = saved + producer(s, l);
    c->in = x;
    c->norm_scale = floats(w, n), c->ffn_scale = floats(w, n);
    c->attention = floats(w, (size_t)n * q), c->middle = floats(w, (size_t)n * width);
    c->gate = floats(w, (size_t)n * s->ffn), c->up = floats(w, (size_t)n * s->ffn);
    c->norm_pairs = halves(w, (size_t)n * width), c->ffn_pairs = halves(w, (size_t)n * width);
    c->attention_pairs = halves(w, (size_t)n * q), c->act_pairs = halves(w, (size_t)n * s->ffn);
    c->q_rows = halves(w, (size_t)n * q), c->q_pairs = halves(w, (size_t)n * q);
    c->probabilities = halves(w, (size_t)n * s->heads * w->length);
    float *out = floats(w, (size_t)n * width);
    if (kv == c) {
        c->k_pairs = halves(w, (size_t)n * kvw), c->k_transposed = halves(w, (size_t)n * kvw);
        c->v_pairs = halves(w, (size_t)n * kvw), c->v_transposed = halves(w, (size_t)n * kvw);
        c->dk = floats(w, (size_t)n * kvw), c->dv = floats(w, (size_t)n * kvw);
    }
    size_t mark = w->used;
    float *norm = floats(w, (size_t)n * width), *wide = floats(w, (size_t)n * (q > s->ffn ? q : s->ffn));
    pair *norm_rows = halves(w, (size_t)n * (width > q ? width : q)), *act_rows = halves(w, (size_t)n * s->ffn);

    rms_norm(norm, c->norm_scale, x, layer->attn_norm.value, n, width);
    rows(norm_rows, norm, (long)n * width);
    pairs(c->norm_pairs, norm, n, width);
    linear(wide, norm_rows, &layer->q, n);
    rope(model, wide, n, w->length, s->heads, 1);
    float scale = 1 / sqrtf(s->head_dim);
    for (long i = 0; i < (long)n * q; i++) wide[i] *= scale;
    rows(c->q_rows, wide, (long)n * q);
    pairs(c->q_pairs, wide, n, q);
    if (kv == c) {
        linear(wide, norm_rows, &layer->k, n);
        rope(model, wide, n, w->length, s->kv_heads, 1);
        pairs(c->k_pairs, wide, n, kvw);
        split_heads(w, c->k_transposed, wide);
        linear(wide, norm_rows, &layer->v, n);
        pairs(c->v_pairs, wide, n, kvw);
        split_heads(w, c->v_transposed, wide);
    }
    attend(w, c, kv, window_of(s, l));
    rows(norm_rows, c->attention, (long)n * q);
    pairs(c->attention_pairs, c->attention, n, q);
    linear(c->middle, norm_rows, &layer->output, n);
    for (long i = 0; i < (long)n * width; i++) c->middle[i] += x[i];

    rms_norm(norm, c->ffn_scale, c->middle, layer->ffn_norm.value, n, width);
    rows(norm_rows, norm, (long)n * width);
    pairs(c->ffn_pairs, norm, n, width);
    linear(c->gate, norm_rows, &layer->gate, n);
    linear(c->up, norm_rows, &layer->up, n);
    for (long i = 0; i < (long)n * s->ffn; i++) wide[i] = c->gate[i] / (1 + expf(-c->gate[i])) * c->up[i];
    rows(act_rows, wide, (long)n * s->ffn);
    pairs(c->act_pairs, wide, n, s->ffn);
    linear(out, act_rows, &layer->down, n);
    for (long i = 0; i < (long)n * width; i++) out[i] += c->middle[i];
    w->used = mark;
    return out;
}

static float *gradient(Worker *w, const Tensor *t)
{
    for (int i = 0; i < w->model->tensors; i++)
        if (w->model->all[i] == t) return w->gradients[i];
    abort();
}

// dx holds the gradient of the layer's output and then that of its input.
static void backward_layer(Worker *w, Saved *saved, int l, float *dx)
{
    const Model *model = w->model;
    const Shape *s = &model->shape;
    const Layer *layer = &model->layer[l];
    int width = s->width, q = s->heads * s->head_dim, kvw = kv_width(s), n = w->batch * w->length, most = q > s->ffn ? q : s->ffn;
    Saved *c = saved + l, *kv = saved + producer(s, l);
    size_t mark = w->used;
    float *dnorm = floats(w, (size_t)n * width), *wide = floats(w, (size_t)n * most), *other = floats(w, (size_t)n * most);
    pair *g_rows = halves(w, (size_t)n * (most > width ? most : width)), *g_pairs = halves(w, (size_t)n * (most > width ? most : width));

    rows(g_rows, dx, (long)n * width);
    pairs(g_pairs, dx, n, width);
    linear_weight(gradient(w, &layer->down), g_pairs, c->act_pairs, &layer->down, n);
    linear_input(wide, g_rows, &layer->down, n, 0);
    for (long i = 0; i < (long)n * s->ffn; i++) {
        float a = c->gate[i], sigmoid = 1 / (1 + expf(-a)), d = wide[i];
        wide[i] = d * c->up[i] * sigmoid * (1 + a * (1 - sigmoid));
        other[i] = d * a * sigmoid;
    }
    rows(g_rows, wide, (long)n * s->ffn);
    pairs(g_pairs, wide, n, s->ffn);
    linear_weight(gradient(w, &layer->gate), g_pairs, c->ffn_pairs, &layer->gate, n);
    linear_input(dnorm, g_rows, &layer->gate, n, 0);
    rows(g_rows, other, (long)n * s->ffn);
    pairs(g_pairs, other, n, s->ffn);
    linear_weight(gradient(w, &layer->up), g_pairs, c->ffn_pairs, &layer->up, n);
    linear_input(dnorm, g_rows, &layer->up, n, 1);
    rms_norm_back(dx, gradient(w, &layer->ffn_norm), dnorm, c->middle, c->ffn_scale, layer->ffn_norm.value, n, width);

    rows(g_rows, dx, (long)n * width);
    pairs(g_pairs, dx, n, width);
    linear_weight(gradient(w, &layer->output), g_pairs, c->attention_pairs, &layer->output, n);
    linear_input(wide, g_rows, &layer->output, n, 0);
    attend_back(w, c, kv, wide, other, window_of(s, l));
    rope(model, other, n, w->length, s->heads, -1);
    float scale = 1 / sqrtf(s->head_dim);
    for (long i = 0; i < (long)n * q; i++) other[i] *= scale;
    rows(g_rows, other, (long)n * q);
    pairs(g_pairs, other, n, q);
    linear_weight(gradient(w, &layer->q), g_pairs, c->norm_pairs, &layer->q, n);
    linear_input(dnorm, g_rows, &layer->q, n, 0);
    if (kv == c) {
        rope(model, c->dk, n, w->length, s->kv_heads, -1);
        rows(g_rows, c->dk, (long)n * kvw);
        pairs(g_pairs, c->dk, n, kvw);
        linear_weight(gradient(w, &layer->k), g_pairs, c->norm_pairs, &layer->k, n);
        linear_input(dnorm, g_rows, &layer->k, n, 1);
        rows(g_rows, c->dv, (long)n * kvw);
        pairs(g_pairs, c->dv, n, kvw);
        linear_weight(gradient(w, &layer->v), g_pairs, c->norm_pairs, &layer->v, n);
        linear_input(dnorm, g_rows, &layer->v, n, 1);
    }
    rms_norm_back(dx, gradient(w, &layer->attn_norm), dnorm, c->in, c->norm_scale, layer->attn_norm.value, n, width);
    w->used = mark;
}

static uint16_t input_of(const Worker *w, int t) { return w->tokens[t / w->length * (w->length + 1) + t % w->length] & 0xfff; }
static uint16_t target_of(const Worker *w, int t) { return w->tokens[t / w->length * (w->length + 1) + t % w->length + 1]; }

// Weighted cross-entropy of one row of logits, which become their gradient. Weights are divided by the batch's sum later.
static void cross_entropy(Worker *w, float *logits, uint16_t target)
{
    int count = w->model->shape.vocabulary, padded = padded_vocabulary(&w->model->shape), token = target & 0xfff, lesson = target >> 12;
    float most = -1e30f, sum = 0, weight = lesson_weight[lesson], own = logits[token];
    for (int i = 0; i < count; i++) most = logits[i] > most ? logits[i] : most;
    w->seen[lesson]++;
    w->right[lesson] += own >= most;
    for (int i = 0; i < count; i++) sum += logits[i] = expf(logits[i] - most);
    w->loss += weight * (logf(sum) - (own - most));
    w->weight += weight;
    for (int i = 0; i < count; i++) logits[i] *= weight / sum;
    for (int i = count; i < padded; i++) logits[i] = 0;
    logits[token] -= weight;
}

// Logits only where a token teaches something. dx: the gradient of the last layer's output.
static void output_and_back(Worker *w, const float *x, float *dx)
{
    Model *model = w->model;
    int width = model->shape.width, vocabulary = model->embedding.rows, n = w->batch * w->length;
    size_t mark = w->used;
    float *norm = floats(w, (size_t)n * width), *scale = floats(w, n), *dnorm = floats(w, (size_t)n * width);
    float *some = floats(w, LOGIT_ROWS * width), *logits = floats(w, (size_t)LOGIT_ROWS * vocabulary);
    pair *some_rows = halves(w, LOGIT_ROWS * width), *some_pairs = halves(w, LOGIT_ROWS * width);
    pair *g_rows = halves(w, (size_t)LOGIT_ROWS * vocabulary), *g_pairs = halves(w, (size_t)LOGIT_ROWS * vocabulary);
    int *taught = take(w, sizeof(int) * n), count = 0;
    rms_norm(norm, scale, x, model->norm.value, n, width);
    memset(dnorm, 0, sizeof(float) * n * width);
    for (int t = 0; t < n; t++)
        if (lesson_weight[target_of(w, t) >> 12] > 0) taught[count++] = t;
    for (int start = 0; start < count; start += LOGIT_ROWS) {
        int real = count - start < LOGIT_ROWS ? count - start : LOGIT_ROWS, padded = (real + 7) / 8 * 8;
        memset(some, 0, sizeof(float) * padded * width);
        for (int i = 0; i < real; i++) memcpy(some + i * width, norm + (long)taught[start + i] * width, sizeof(float) * width);
        rows(some_rows, some, (long)padded * width);
        pairs(some_pairs, some, padded, width);
        linear(logits, some_rows, &model->embedding, padded);
        for (int i = 0; i < real; i++) cross_entropy(w, logits + (long)i * vocabulary, target_of(w, taught[start + i]));
        memset(logits + (long)real * vocabulary, 0, sizeof(float) * (padded - real) * vocabulary);
        rows(g_rows, logits, (long)padded * vocabulary);
        pairs(g_pairs, logits, padded, vocabulary);
        linear_weight(gradient(w, &model->embedding), g_pairs, some_pairs, &model->embedding, padded);
        linear_input(some, g_rows, &model->embedding, padded, 0);
        for (int i = 0; i < real; i++) memcpy(dnorm + (long)taught[start + i] * width, some + i * width, sizeof(float) * width);
    }
    rms_norm_back(dx, gradient(w, &model->norm), dnorm, x, scale, model->norm.value, n, width);
    w->used = mark;
}

void worker_run(Worker *w)
{
    Model *model = w->model;
    const Shape *s = &model->shape;
    int width = s->width, n = w->batch * w->length;
    Saved saved[MAX_LAYERS];
    w->used = 0, w->loss = 0, w->weight = 0;
    memset(w->right, 0, sizeof w->right);
    memset(w->seen, 0, sizeof w->seen);
    for (int i = 0; i < model->tensors; i++)
        memset(w->gradients[i], 0, 4l * model->all[i]->rows * model->all[i]->columns);

    float *x = floats(w, (size_t)n * width), *dx = floats(w, (size_t)n * width);
    for (int t = 0; t < n; t++)
        memcpy(x + (long)t * width, model->embedding.value + (long)input_of(w, t) * width, sizeof(float) * width);
    for (int l = 0; l < s->layers; l++)
        x = forward_layer(w, saved, l, x);
    memset(dx, 0, sizeof(float) * n * width);
    output_and_back(w, x, dx);
    for (int l = 0; l < s->layers; l++)
        if (producer(s, l) == l) {
            memset(saved[l].dk, 0, sizeof(float) * n * kv_width(s));
            memset(saved[l].dv, 0, sizeof(float) * n * kv_width(s));
        }
    for (int l = s->layers - 1; l >= 0; l--)
        backward_layer(w, saved, l, dx);
    float *dembedding = gradient(w, &model->embedding);
    for (int t = 0; t < n; t++)
        for (int i = 0; i < width; i++) dembedding[(long)input_of(w, t) * width + i] += dx[(long)t * width + i];
}
