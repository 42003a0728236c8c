using Akvam.Devices;
using Akvam.Native;

namespace Akvam;

/// <summary>One KVM_IRQFD: an eventfd that raises a GSI.</summary>
internal sealed class IrqFd(IrqRouter router, EventFd file, uint gsi, IrqResampler? resampler, EventFd? resampleFile) : IDisposable
{
    private readonly Lock _gate = new();
    private bool _removed;

    public EventFd File => file;

    public uint Gsi => gsi;

    public IrqResampler? Resampler => resampler;

    /// <summary>Signalled when the guest has ended the interrupt.</summary>
    public EventFd? ResampleFile => resampleFile;

    /// <summary>The eventfd was signalled. A resampled line stays up until the guest ends the interrupt. [KVM 4.75]</summary>
    public void Raise()
    {
        lock (_gate)
        {
            if (_removed || !file.Take())
            {
                return;
            }

            if (resampler is not null)
            {
                router.SetLine((int)gsi, IrqSource.Resample, level: true);
            }
            else
            {
                router.Pulse((int)gsi, IrqSource.User);
            }
        }
    }

    /// <summary>Afterwards nothing is raised any more, whatever the thread that waits is about to do.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _removed = true;
        }

        file.Dispose();
        resampleFile?.Dispose();
    }
}
