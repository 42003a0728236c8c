using Akvam.Cpu.Smm;
using Akvam.Cpu.State;

namespace Akvam;

/// <content>For tools that look at SMM from outside. The kernel has no such call; nothing of the guest's state changes.</content>
public sealed unsafe partial class Vcpu
{
    private static readonly TimeSpan s_kickEvery = TimeSpan.FromMilliseconds(1);

    /// <summary>Reads the state-save image of the last SMI. A run that goes on is made to end, as by <see cref="Kick"/>.</summary>
    /// <param name="image">512 bytes; zeros where there is no memory.</param>
    public SmmView ViewSmm(Span<byte> image)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(image.Length, SmramStateMap64.Size);

        // Whoever runs the processor may well run it again before this thread has its turn.
        while (!_gate.TryEnter(s_kickEvery))
        {
            Kick();
        }

        try
        {
            CpuState* s = State();
            image.Clear();
            bool has = Vm.Memory.Read(1, s->Smbase + SmramStateMap64.Start, image);
            return new SmmView(s->InSmm != 0, s->Smbase, s->SmiCount, has);
        }
        finally
        {
            _gate.Exit();
        }
    }
}
