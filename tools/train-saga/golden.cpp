// What llama.cpp says of a model, for the tests that compare us with it. Build against llama.cpp; see README.md.
//   golden tokens MODEL < texts.json    ids of each text, with control tokens as text and as tokens
//   golden greedy MODEL < prompts.json  greedy decoding in f32 (weights as the file has them, K and V in f32, no flash attention),
//                                       and the first logits
//   golden logits MODEL < tokens.json   all logits after each list of tokens, in the same precision and a context of 128
#include "llama.h"
#include "nlohmann/json.hpp"
#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

using json = nlohmann::ordered_json;

static std::vector<llama_token> tokenize(const llama_vocab *vocab, const std::string &text, bool special)
{
    std::vector<llama_token> tokens(text.size() + 8);
    int count = llama_tokenize(vocab, text.data(), (int)text.size(), tokens.data(), (int)tokens.size(), false, special);
    if (count < 0) throw std::runtime_error("too many tokens");
    tokens.resize(count);
    return tokens;
}

static std::string detokenize(const llama_vocab *vocab, const std::vector<llama_token> &tokens)
{
    std::string text;
    char piece[256];
    for (llama_token token : tokens)
        if (!llama_vocab_is_control(vocab, token)) text.append(piece, llama_token_to_piece(vocab, token, piece, sizeof piece, 0, false));
    return text;
}

static json first_logits(const float *logits, int count)
{
    std::vector<int> order(count);
    for (int i = 0; i < count; i++) order[i] = i;
    std::partial_sort(order.begin(), order.begin() + 20, order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
    double sum = 0, most = logits[order[0]];
    for (int i = 0; i < count; i++) sum += std::exp(logits[i] - most);
    json top = json::array();
    for (int i = 0; i < 20; i++) top.push_back({ order[i], logits[order[i]] });
    return { { "top20", top }, { "logsumexp", most + std::log(sum) } };
}

static json greedy(llama_model *model, const json &request)
{
    const llama_vocab *vocab = llama_model_get_vocab(model);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = 4096;
    params.n_threads = params.n_threads_batch = 1;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context *context = llama_init_from_model(model, params);
    std::vector<llama_token> prompt = tokenize(vocab, request["prompt"], true), answer, next = prompt;
    json result = request, first;
    result["prompt_tokens"] = prompt;
    for (int i = 0; i < request["n"].get<int>(); i++) {
        if (llama_decode(context, llama_batch_get_one(next.data(), (int)next.size()))) throw std::runtime_error("decode");
        const float *logits = llama_get_logits_ith(context, -1);
        int count = llama_vocab_n_tokens(vocab);
        if (i == 0) first = first_logits(logits, count);
        llama_token token = (llama_token)(std::max_element(logits, logits + count) - logits);
        answer.push_back(token);
        if (llama_vocab_is_eog(vocab, token)) break;
        next = { token };
    }
    llama_free(context);
    result["greedy_tokens"] = answer;
    result["text"] = detokenize(vocab, answer);
    result.update(first);
    return result;
}

static json logits(llama_model *model, const json &tokens)
{
    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = 128;
    params.n_threads = params.n_threads_batch = 1;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    llama_context *context = llama_init_from_model(model, params);
    std::vector<llama_token> prompt = tokens;
    if (llama_decode(context, llama_batch_get_one(prompt.data(), (int)prompt.size()))) throw std::runtime_error("decode");
    const float *first = llama_get_logits_ith(context, -1);
    std::vector<float> all(first, first + llama_vocab_n_tokens(llama_model_get_vocab(model)));
    llama_free(context);
    return { { "tokens", tokens }, { "logits", all } };
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    llama_log_set([](ggml_log_level, const char *, void *) {}, nullptr);
    llama_model_params params = llama_model_default_params();
    bool tokens_only = std::string(argv[1]) == "tokens", logits_only = std::string(argv[1]) == "logits";
    params.vocab_only = tokens_only;
    llama_model *model = llama_model_load_from_file(argv[2], params);
    if (!model) return 1;
    json requests = json::parse(std::cin);
    for (const json &request : requests)
        if (logits_only)
            std::cout << logits(model, request).dump() << "\n";
        else if (tokens_only) {
            const llama_vocab *vocab = llama_model_get_vocab(model);
            std::cout << json{ { "text", request["text"] }, { "tokens", tokenize(vocab, request["text"], false) },
                { "template_tokens", tokenize(vocab, request["text"], true) } }.dump() << "\n";
        } else
            std::cout << greedy(model, request).dump() << "\n";
    return 0;
}
