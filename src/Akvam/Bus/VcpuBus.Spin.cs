using Akvam.Cpu;
using Akvam.Devices;

namespace Akvam;

/// <content>Guests that wait in a loop with PAUSE, for another vCPU or for time to pass.</content>
internal sealed partial class VcpuBus
{
    private SpinDetector _spin = new(IProcessorBus.PausesTold);

    public void Paused()
    {
        if (_spin.Note(_vm.Clock.Source.NowNs))
        {
            _vcpu.Doze(_vm.Options.PauseSleep);
            _spin.Slept(_vm.Clock.Source.NowNs);
        }
    }
}
