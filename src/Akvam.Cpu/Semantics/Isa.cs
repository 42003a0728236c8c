using Akvam.Cpu.Semantics.Supervisor;
using Iced.Intel;

namespace Akvam.Cpu.Semantics;

/// <summary>The instruction set: one row per Iced <see cref="Code"/> value. Families add their rows in their own files.</summary>
/// <remarks>Valid because the function pointers are to static methods, which never move.</remarks>
public static unsafe class Isa
{
    private static readonly IsaRow[] s_rows = Build();

    /// <summary>One more than the highest <see cref="Code"/>.</summary>
    public static int Count => s_rows.Length;

    public static ref readonly IsaRow Row(Code code) => ref s_rows[(int)code];

    private static IsaRow[] Build()
    {
        var b = new IsaBuilder();
        Alu.Register(b);
        Move.Register(b);
        Conditional.Register(b);
        Branch.Register(b);
        Unary.Register(b);
        Shift.Register(b);
        ShiftDouble.Register(b);
        MulDiv.Register(b);
        PushPop.Register(b);
        FlagOps.Register(b);
        Exchange.Register(b);
        BitTest.Register(b);
        BitScan.Register(b);
        Bmi.Register(b);
        Bcd.Register(b);
        StringOps.Register(b);
        Misc.Register(b);
        Clzero.Register(b);
        SupervisorFamily.Register(b);
        SegmentMoves.Register(b);
        SystemSegments.Register(b);
        SegmentQueries.Register(b);
        FarControl.Register(b);
        SystemCalls.Register(b);
        Interrupts.Register(b);
        Simd.VectorIsa.Register(b);
        return b.Rows;
    }
}
