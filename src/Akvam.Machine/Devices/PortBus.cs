using System.Runtime.CompilerServices;

namespace Akvam.Machine.Devices;

/// <summary>Routes port accesses to devices, splitting them for devices narrower than the access.</summary>
/// <remarks>
/// An ISA bus turns a wide access to an 8-bit device into accesses to consecutive ports, which is how a 16-bit OUT reaches
/// two byte registers. Ports nobody claims read as all ones and ignore writes, as a floating bus does.
/// </remarks>
public sealed class PortBus
{
    private readonly Entry[] _entries = new Entry[0x10000];

    /// <summary>Claims <paramref name="count"/> ports from <paramref name="first"/>; a later claim replaces an earlier one.</summary>
    /// <param name="first">The first port.</param>
    /// <param name="count">The number of ports.</param>
    /// <param name="device">The device.</param>
    /// <param name="width">The widest access the device decodes itself: 1, 2 or 4 bytes.</param>
    /// <param name="access">Which accesses need no exit, because the device does nothing that needs the processor outside the guest.</param>
    public void Map(ushort first, int count, IPortDevice device, int width = 1, InsideAccess access = InsideAccess.None)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first + count, _entries.Length);
        for (int i = 0; i < count; i++)
        {
            _entries[first + i] = new Entry(device, width, access);
        }
    }

    /// <summary>Frees every port of <paramref name="device"/>, for devices whose base address a guest moves.</summary>
    public void Unmap(IPortDevice device)
    {
        for (int i = 0; i < _entries.Length; i++)
        {
            if (ReferenceEquals(_entries[i].Device, device))
            {
                _entries[i] = default;
            }
        }
    }

    /// <summary>True when the access may be served in the middle of a run.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsInside(ushort port, int size, InsideAccess access)
    {
        ref readonly Entry entry = ref _entries[port];
        return (entry.Inside & access) != 0 && size <= entry.Width;
    }

    /// <summary>True when an access needs no lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool IsUnlocked(ushort port) => (_entries[port].Inside & InsideAccess.Unlocked) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Read(ushort port, int size)
    {
        ref readonly Entry entry = ref _entries[port];
        if (entry.Device is not null && size <= entry.Width)
        {
            return entry.Device.Read(port, size) & Mask(size);
        }

        if (size == 1)
        {
            return 0xFF;
        }

        int half = size / 2;
        uint low = Read(port, half);
        uint high = Read((ushort)(port + half), half);
        return low | (high << (8 * half));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Write(ushort port, int size, uint value)
    {
        ref readonly Entry entry = ref _entries[port];
        if (entry.Device is not null && size <= entry.Width)
        {
            entry.Device.Write(port, size, value & Mask(size));
            return;
        }

        if (size > 1)
        {
            int half = size / 2;
            Write(port, half, value);
            Write((ushort)(port + half), half, value >> (8 * half));
        }
    }

    private static uint Mask(int size) => uint.MaxValue >> (32 - (8 * size));

    private readonly record struct Entry(IPortDevice? Device, int Width, InsideAccess Inside);
}
