using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>An 8254 whose time is told in cycles of its own clock.</summary>
internal sealed class PitRig : ITickSink
{
    private const ulong Frequency = 1_193_182;

    private ulong _origin;

    public PitRig()
    {
        Pit = new Pit(Time, Time, this);

        // Start on a cycle boundary, so that a test's cycles are the counter's.
        _origin = (Time.NowNs * Frequency / 1_000_000_000) + 1;
        To(0);
    }

    public ManualTime Time { get; } = new();

    public Pit Pit { get; }

    public int Ticks { get; private set; }

    public void Tick() => Ticks++;

    /// <summary>Goes to a cycle, counted from the last <see cref="Program"/>.</summary>
    public void To(ulong cycle)
    {
        ulong ns = (((_origin + cycle) * 1_000_000_000) + Frequency - 1) / Frequency;
        Time.Advance(ns - Time.NowNs);
    }

    /// <summary>Writes a control word and a 16-bit count. Cycle 0 is the clock at which the count is in the counting element.</summary>
    public void Program(int channel, int mode, int count, bool bcd = false)
    {
        Pit.WritePort(0x43, (byte)((channel << 6) | 0x30 | (mode << 1) | (bcd ? 1 : 0)));
        Count(channel, count);
        _origin = (Time.NowNs * Frequency / 1_000_000_000) + 1;
        To(0);
    }

    /// <summary>Writes a 16-bit count, low byte first.</summary>
    public void Count(int channel, int count)
    {
        Pit.WritePort((ushort)(0x40 + channel), (byte)count);
        Pit.WritePort((ushort)(0x40 + channel), (byte)(count >> 8));
    }

    /// <summary>Latches and reads a 16-bit count.</summary>
    public int Read(int channel)
    {
        Pit.WritePort(0x43, (byte)(channel << 6));
        int low = Pit.ReadPort((ushort)(0x40 + channel));
        return low | (Pit.ReadPort((ushort)(0x40 + channel)) << 8);
    }

    /// <summary>Latches and reads the status.</summary>
    public int Status(int channel)
    {
        Pit.WritePort(0x43, (byte)(0xE0 | (2 << channel)));
        return Pit.ReadPort((ushort)(0x40 + channel));
    }

    public bool Out(int channel) => (Status(channel) & 0x80) != 0;

    public void Gate2(bool high) => Pit.WritePort(0x61, high ? (byte)1 : (byte)0);

    /// <summary>The levels of OUT at cycles 0, 1, 2…, as L and H.</summary>
    public string Wave(int channel, int cycles)
    {
        var wave = new char[cycles];
        for (int i = 0; i < cycles; i++)
        {
            To((ulong)i);
            wave[i] = Out(channel) ? 'H' : 'L';
        }

        return new string(wave);
    }
}
