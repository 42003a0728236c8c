using Akvam.Cpu.Smm;
using Akvam.Cpu.Svm;

namespace Akvam.Cpu.Semantics.Supervisor;

/// <summary>The instructions around system registers, ports, System Management Mode and SVM.</summary>
internal static class SupervisorFamily
{
    internal static void Register(IsaBuilder b)
    {
        ControlMoves.Register(b);
        Identification.Register(b);
        Maintenance.Register(b);
        StateBits.Register(b);
        PortIo.Register(b);
        Rsm.Register(b);
        SvmInstructions.Register(b);
    }
}
