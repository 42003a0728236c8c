using System.Runtime.CompilerServices;
using System.Diagnostics;

namespace Akvam.Devices;

/// <summary>The PC's pair of 8259A: ports 0x20, 0x21, 0xA0, 0xA1 and the edge/level registers 0x4D0, 0x4D1.</summary>
/// <remarks>Any thread may call; one lock. The INTR output is reported under it, observers are called outside it.</remarks>
public sealed class Pic
{
    private const int CascadePin = 2;
    private const int Spurious = 7;

    private readonly Lock _gate = new();
    private readonly IIntrSink _sink;

    // Timer, keyboard and cascade, and clock and coprocessor, are edge-triggered for good.
    private readonly PicChip _master = new(elcrMask: 0xF8, master: true);
    private readonly PicChip _slave = new(elcrMask: 0xDE, master: false);
    private readonly ulong[] _sources = new ulong[16];

    private IPinObserver? _observer;
    private bool _output;

    public Pic(IIntrSink sink)
    {
        _sink = sink;
    }

    /// <summary>The level of INTR. Any thread, no lock.</summary>
    public bool Output => Volatile.Read(ref _output);

    internal void Observe(IPinObserver observer) => _observer = observer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool OwnsPort(ushort port) => port is 0x20 or 0x21 or 0xA0 or 0xA1 or 0x4D0 or 0x4D1;

    public void Reset()
    {
        lock (_gate)
        {
            _master.Reset();
            _slave.Reset();
            Array.Clear(_sources);
            Update();
        }
    }

    /// <summary>One source's part in the level of an input, 0-15. Input 2 is the cascade and nobody's to drive.</summary>
    /// <returns>1 if it made or removed a request, 0 if one was pending already, -1 if masked.</returns>
    public int SetPin(int pin, int source, bool level)
    {
        Debug.Assert((uint)pin < 16 && (uint)source < IrqSource.Count);
        if (pin == CascadePin)
        {
            return -1;
        }

        lock (_gate)
        {
            ulong bit = 1UL << source;
            _sources[pin] = level ? _sources[pin] | bit : _sources[pin] & ~bit;
            int taken = ChipOf(pin).SetLine(pin & 7, _sources[pin] != 0);
            Update();
            return taken;
        }
    }

    /// <summary>The processor's interrupt acknowledge cycle.</summary>
    /// <returns>The vector; that of input 7 or 15 if the request went away meanwhile.</returns>
    public byte Acknowledge()
    {
        int vector;
        uint finished;
        lock (_gate)
        {
            int irq = _master.PendingInput();
            if (irq >= 0)
            {
                _master.Acknowledge(irq);
            }

            if (irq == CascadePin)
            {
                int slave = _slave.PendingInput();
                if (slave >= 0)
                {
                    _slave.Acknowledge(slave);
                }

                vector = _slave.VectorBase + (slave >= 0 ? slave : Spurious);
            }
            else
            {
                vector = _master.VectorBase + (irq >= 0 ? irq : Spurious);
            }

            Update();
            finished = TakeFinished();
        }

        Report(finished);
        return (byte)vector;
    }

    public byte ReadPort(ushort port)
    {
        byte value;
        uint finished;
        lock (_gate)
        {
            value = port switch
            {
                0x20 or 0x21 => _master.Read(data: (port & 1) != 0),
                0xA0 or 0xA1 => _slave.Read(data: (port & 1) != 0),
                0x4D0 => _master.Elcr,
                0x4D1 => _slave.Elcr,
                _ => 0xFF,
            };
            Update();
            finished = TakeFinished();
        }

        Report(finished);
        return value;
    }

    public void WritePort(ushort port, byte value)
    {
        uint finished;
        uint unmasked;
        uint masked;
        lock (_gate)
        {
            uint oldMask = Imr;
            switch (port)
            {
                case 0x20:
                    _master.WriteCommand(value);
                    break;
                case 0x21:
                    _master.WriteData(value);
                    break;
                case 0xA0:
                    _slave.WriteCommand(value);
                    break;
                case 0xA1:
                    _slave.WriteData(value);
                    break;
                case 0x4D0:
                    _master.Elcr = value;
                    break;
                case 0x4D1:
                    _slave.Elcr = value;
                    break;
            }

            Update();
            finished = TakeFinished();
            unmasked = oldMask & ~Imr;
            masked = Imr & ~oldMask;
        }

        Report(finished);
        ReportMasks(unmasked, masked);
    }

    /// <summary>State of one chip, as KVM_GET_IRQCHIP carries it [KVM 4.26].</summary>
    public PicState GetState(IrqChipId chip)
    {
        lock (_gate)
        {
            return Chip(chip).State;
        }
    }

    /// <summary>Replaces the state of one chip.</summary>
    public void SetState(IrqChipId chip, in PicState state)
    {
        lock (_gate)
        {
            Chip(chip).State = state;
            Update();
        }
    }

    private uint Imr => _master.Imr | ((uint)_slave.Imr << 8);

    private PicChip ChipOf(int pin) => pin < 8 ? _master : _slave;

    private PicChip Chip(IrqChipId chip) => chip == IrqChipId.KVM_IRQCHIP_PIC_SLAVE ? _slave : _master;

    private uint TakeFinished() => _master.TakeFinished() | ((uint)_slave.TakeFinished() << 8);

    private void Update()
    {
        _master.SetLine(CascadePin, _slave.PendingInput() >= 0);
        bool output = _master.PendingInput() >= 0;
        if (output != _output)
        {
            Volatile.Write(ref _output, output);
            _sink.IntrChanged(output);
        }
    }

    private void Report(uint finished)
    {
        for (int pin = 0; finished >> pin != 0; pin++)
        {
            if (((finished >> pin) & 1) != 0 && pin != CascadePin)
            {
                _observer?.Acknowledged(ChipIdOf(pin), pin & 7);
            }
        }
    }

    private void ReportMasks(uint unmasked, uint masked)
    {
        uint changed = unmasked | masked;
        for (int pin = 0; changed >> pin != 0; pin++)
        {
            if (((changed >> pin) & 1) != 0)
            {
                _observer?.MaskChanged(ChipIdOf(pin), pin & 7, ((masked >> pin) & 1) != 0);
            }
        }
    }

    private static IrqChipId ChipIdOf(int pin) =>
        pin < 8 ? IrqChipId.KVM_IRQCHIP_PIC_MASTER : IrqChipId.KVM_IRQCHIP_PIC_SLAVE;
}
