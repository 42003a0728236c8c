using Akvam.Machine.Devices;

namespace Akvam.Machine;

/// <summary>The way from processors to devices: one access at a time.</summary>
internal sealed class DeviceGate : IPortHandler
{
    /// <summary>Held while a device works.</summary>
    public DeviceLock Lock { get; } = new();

    /// <summary>All ports.</summary>
    public PortBus Ports { get; } = new();

    /// <summary>The processor whose access is being served; valid under <see cref="Lock"/>.</summary>
    public Vcpu? Serving { get; set; }

    /// <remarks>Never waits for the lock: whoever holds it may be waiting for this processor to leave the guest.</remarks>
    public bool TryRead(Vcpu vcpu, ushort port, int size, out uint value)
    {
        value = 0;
        if (!Ports.IsInside(port, size, InsideAccess.Read))
        {
            return false;
        }

        if (Ports.IsUnlocked(port))
        {
            value = Ports.Read(port, size);
            return true;
        }

        if (!Lock.TryEnter())
        {
            return false;
        }

        try
        {
            value = Ports.Read(port, size);
            return true;
        }
        finally
        {
            Lock.Exit();
        }
    }

    public bool TryWrite(Vcpu vcpu, ushort port, int size, uint value)
    {
        if (!Ports.IsInside(port, size, InsideAccess.Write))
        {
            return false;
        }

        if (Ports.IsUnlocked(port))
        {
            Ports.Write(port, size, value);
            return true;
        }

        if (!Lock.TryEnter())
        {
            return false;
        }

        try
        {
            Ports.Write(port, size, value);
            return true;
        }
        finally
        {
            Lock.Exit();
        }
    }
}
