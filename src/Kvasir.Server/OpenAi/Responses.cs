using Kvasir.Server.Http;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.OpenAi;

/// <summary><c>POST /v1/responses</c> and <c>/v1/responses/input_tokens</c>.</summary>
static class Responses
{
    public static Task Handle(HttpContext context, CompletionService service, ResponseStore store) =>
        RequestFields.Read(context, Endpoints.Responses, async body =>
        {
            ResponsesRequest request = ResponsesRequest.Read(body, service.Model, Gate.PrincipalOf(context),
                store, RequestReader.Explains(context));
            RequestFields.TellSkipped(context, request.Input);
            await service.Serve(context, request.Completion,
                run => new ResponsesAnswer(context, request, run, store).Write());
        });

    public static Task CountTokens(HttpContext context, ServedModel model, ResponseStore store) =>
        RequestFields.Read(context, Endpoints.Responses, async body =>
        {
            ResponsesRequest request = ResponsesRequest.Read(body, model,
                Gate.PrincipalOf(context), store, explains: false);
            await context.Response.WriteAsJsonAsync(new ResponseInputTokens("response.input_tokens", request.Completion.PromptTokens),
                OpenAiJson.Wire.ResponseInputTokens);
        });
}
