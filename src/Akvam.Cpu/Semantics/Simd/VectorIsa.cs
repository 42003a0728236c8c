using Akvam.Cpu.Native;
using Akvam.Cpu.Semantics.X87;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>Registers the vector and x87 families: special rows first, then the rules for everything left.</summary>
internal static class VectorIsa
{
    /// <summary>To be called after all other families, whose rows it leaves alone.</summary>
    internal static void Register(IsaBuilder b)
    {
        if (!HostFeatures.IsX64)
        {
            return;
        }

        VectorMoves.Register(b);
        ScalarMoves.Register(b);
        VectorLogic.Register(b);
        MaskedMoves.Register(b);
        Gather.Register(b);
        VectorZero.Register(b);
        X87Control.Register(b);
        X87Environment.Register(b);
        Fxsave.Register(b);
        Xsave.Register(b);
        Xrstor.Register(b);
        HostVector.Register(b);
        X87Ops.Register(b);
    }
}
