using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Compiles kernels in the background while the cache is opened, instead of one by one while the first token waits for them. A published
/// program has kernels that any processor of its kind can run; those for wider vectors are compiled as they are called.
/// </summary>
static class EarlyCompilation
{
    const DynamicallyAccessedMemberTypes Methods =
        DynamicallyAccessedMemberTypes.PublicMethods | DynamicallyAccessedMemberTypes.NonPublicMethods;
    const BindingFlags All =
        BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    static int s_begun;

    /// <summary>Begins with the kernels of an instruction set that are not there yet. Returns at once.</summary>
    public static void Begin(InstructionSet set)
    {
        bool wide = set >= InstructionSet.Vector512;
        if (wide && RuntimeFeature.IsDynamicCodeCompiled && Interlocked.Exchange(ref s_begun, 1) == 0)
            new Thread(Compile) { IsBackground = true, Name = "kvasir compile" }.Start();
    }

    /// <summary>In the order in which a layer calls them.</summary>
    static void Compile()
    {
        Prepare(typeof(RmsNorm<Lanes512>));
        Prepare(typeof(Quantize<Lanes512>));
        Prepare(typeof(Rope<Lanes512>));
        Prepare(typeof(StretchAttention<Lanes512, BlockRows>));
        Prepare(typeof(RunningSoftmax<Lanes512>));
        Prepare(typeof(KvTile<Lanes512, BlockRows>));
        Prepare(typeof(RowsByPanel<Lanes512>));
        Prepare(typeof(Add<Lanes512>));
        Prepare(typeof(SwiGlu<Lanes512>));
        Prepare(typeof(ChooseExperts<Lanes512>));
        Prepare(typeof(Lanes512));
    }

    static void Prepare([DynamicallyAccessedMembers(Methods)] Type kernel)
    {
        RuntimeTypeHandle[] arguments = Array.ConvertAll(kernel.GenericTypeArguments, argument => argument.TypeHandle);
        foreach (MethodInfo method in kernel.GetMethods(All))
            if (method is { IsAbstract: false, IsGenericMethodDefinition: false })
                RuntimeHelpers.PrepareMethod(method.MethodHandle, arguments);
    }
}
