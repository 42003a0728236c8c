using System.Runtime.CompilerServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>
/// Raises guest exceptions: each method records the fault and returns <see cref="Flow.Abort"/>, so a handler says <c>return Fault.Gp(s, 0);</c>.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class Fault
{
    /// <summary>Payload of a #GP for a non-canonical address, until it is known whether the access was to the stack segment.</summary>
    private const ulong NonCanonicalMark = 1;

    /// <summary>An access found a non-canonical address. [APM2 5.3.1]</summary>
    public static Flow NonCanonical(CpuState* s) => Raise(s, Vector.GP, 0, NonCanonicalMark);

    /// <summary>Operands that are addressed through SS raise #SS for a non-canonical address; called with the instruction at hand. [APM2 8.2.13]</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SettleSegment(CpuState* s, Interpreter.Insn* i)
    {
        if (s->Abort == AbortReason.Fault && s->Fault.Vector == Vector.GP && s->Fault.Payload == NonCanonicalMark)
        {
            s->Fault.Payload = 0;
            s->Fault.Vector = (i->Flags & Interpreter.InsnFlags.Flat) != 0 && i->Segment == Segment.Ss ? Vector.SS : Vector.GP;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Flow Raise(CpuState* s, Vector vector)
    {
        s->Fault = new FaultRecord { Vector = vector };
        s->Abort = AbortReason.Fault;
        return Flow.Abort;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static Flow Raise(CpuState* s, Vector vector, uint errorCode, ulong payload = 0)
    {
        s->Fault = new FaultRecord { Vector = vector, HasErrorCode = true, ErrorCode = errorCode, Payload = payload };
        s->Abort = AbortReason.Fault;
        return Flow.Abort;
    }

    public static Flow De(CpuState* s) => Raise(s, Vector.DE);

    public static Flow Ud(CpuState* s) => Raise(s, Vector.UD);

    public static Flow Nm(CpuState* s) => Raise(s, Vector.NM);

    public static Flow Ts(CpuState* s, uint errorCode) => Raise(s, Vector.TS, errorCode);

    public static Flow Np(CpuState* s, uint errorCode) => Raise(s, Vector.NP, errorCode);

    public static Flow Ss(CpuState* s, uint errorCode) => Raise(s, Vector.SS, errorCode);

    public static Flow Gp(CpuState* s, uint errorCode) => Raise(s, Vector.GP, errorCode);

    public static Flow Pf(CpuState* s, uint errorCode, ulong address) => Raise(s, Vector.PF, errorCode, address);

    public static Flow Ac(CpuState* s) => Raise(s, Vector.AC, 0u);
}
