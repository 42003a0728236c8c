using Akvam.Cpu.State;

namespace Akvam.Cpu.Events;

internal static unsafe class Delivery
{
    public static void Fault(CpuState* s) => throw new NotSupportedException();

    public static void External(CpuState* s, byte vector) => throw new NotSupportedException();

    public static void Nmi(CpuState* s) => throw new NotSupportedException();
}
