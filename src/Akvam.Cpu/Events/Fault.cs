using System.Runtime.CompilerServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

/// <summary>
/// Raises guest exceptions: each method records the fault and returns <see cref="Flow.Abort"/>, so a handler says <c>return Fault.Gp(s, 0);</c>.
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
public static unsafe class Fault
{
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
