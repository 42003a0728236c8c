using System.Numerics;

namespace Akvam.Devices;

/// <summary>One 8259A [8259A data sheet]. Pure logic; <see cref="Pic"/> holds the lock and wires two of them.</summary>
internal sealed class PicChip(byte elcrMask, bool master)
{
    private const int Cascade = 2;

    private PicState _state = new() { ElcrMask = elcrMask };
    private bool _single;

    /// <summary>Inputs whose service ended since <see cref="TakeFinished"/>, for the acknowledge notifiers.</summary>
    private byte _finished;

    public PicState State
    {
        get => _state;
        set => _state = value with { ElcrMask = elcrMask, Elcr = (byte)(value.Elcr & elcrMask), IrqBase = (byte)(value.IrqBase & 0xF8) };
    }

    public byte VectorBase => _state.IrqBase;

    public byte Imr => _state.Imr;

    public byte Elcr
    {
        get => _state.Elcr;
        set => _state.Elcr = (byte)(value & elcrMask);
    }

    public void Reset()
    {
        _state = new PicState { ElcrMask = elcrMask };
        _single = false;
        _finished = 0;
    }

    public byte TakeFinished()
    {
        byte finished = _finished;
        _finished = 0;
        return finished;
    }

    /// <returns>-1 if masked, 0 if a request was pending already, 1 otherwise.</returns>
    public int SetLine(int irq, bool level)
    {
        byte bit = (byte)(1 << irq);
        int taken = 1;
        if ((_state.Elcr & bit) != 0)
        {
            if (level)
            {
                taken = (_state.Irr & bit) == 0 ? 1 : 0;
                _state.Irr |= bit;
                _state.LastIrr |= bit;
            }
            else
            {
                _state.Irr &= (byte)~bit;
                _state.LastIrr &= (byte)~bit;
            }
        }
        else if (level)
        {
            if ((_state.LastIrr & bit) == 0)
            {
                taken = (_state.Irr & bit) == 0 ? 1 : 0;
                _state.Irr |= bit;
            }

            _state.LastIrr |= bit;
        }
        else
        {
            _state.LastIrr &= (byte)~bit;
        }

        return (_state.Imr & bit) != 0 ? -1 : taken;
    }

    /// <summary>The input that drives INT now, or -1: the highest request above everything in service.</summary>
    public int PendingInput()
    {
        int request = HighestPriority((byte)(_state.Irr & ~_state.Imr));
        if (request == 8)
        {
            return -1;
        }

        byte blocking = _state.Isr;
        if (_state.SpecialMask != 0)
        {
            // Special mask mode: an input in service that is masked holds nobody back.
            blocking &= (byte)~_state.Imr;
        }

        if (master && _state.SpecialFullyNestedMode != 0)
        {
            // Special fully nested mode: the slave may interrupt its own service.
            blocking &= 0xFF ^ (1 << Cascade);
        }

        return request < HighestPriority(blocking) ? (request + _state.PriorityAdd) & 7 : -1;
    }

    /// <summary>An interrupt acknowledge cycle for an input.</summary>
    public void Acknowledge(int irq)
    {
        byte bit = (byte)(1 << irq);
        if ((_state.Elcr & bit) == 0)
        {
            _state.Irr &= (byte)~bit;
        }

        if (_state.AutoEoi != 0)
        {
            if (_state.RotateOnAutoEoi != 0)
            {
                _state.PriorityAdd = (byte)((irq + 1) & 7);
            }

            _finished |= bit;
        }
        else
        {
            _state.Isr |= bit;
        }
    }

    public byte Read(bool data)
    {
        if (_state.Poll != 0)
        {
            // The read after a poll command is the acknowledge cycle: bit 7 and the level, or nothing.
            _state.Poll = 0;
            int irq = PendingInput();
            if (irq < 0)
            {
                return 0;
            }

            Acknowledge(irq);
            return (byte)(0x80 | irq);
        }

        return data ? _state.Imr : _state.ReadRegSelect != 0 ? _state.Isr : _state.Irr;
    }

    public void WriteCommand(byte value)
    {
        if ((value & 0x10) != 0)
        {
            WriteIcw1(value);
        }
        else if ((value & 0x08) != 0)
        {
            WriteOcw3(value);
        }
        else
        {
            WriteOcw2(value);
        }
    }

    /// <summary>ICW2 to ICW4 while initializing, OCW1 otherwise.</summary>
    public void WriteData(byte value)
    {
        switch (_state.InitState)
        {
            case 0:
                _state.Imr = value;
                break;
            case 1:
                _state.IrqBase = (byte)(value & 0xF8);
                _state.InitState = (byte)(!_single ? 2 : _state.Init4 != 0 ? 3 : 0);
                break;
            case 2:
                // ICW3 describes the cascade, which is soldered on a PC.
                _state.InitState = (byte)(_state.Init4 != 0 ? 3 : 0);
                break;
            default:
                _state.SpecialFullyNestedMode = (byte)((value >> 4) & 1);
                _state.AutoEoi = (byte)((value >> 1) & 1);
                _state.InitState = 0;
                break;
        }
    }

    private void WriteIcw1(byte value)
    {
        // Edges that are dropped here count as finished, or a source that waits for its EOI would wait for ever.
        _finished |= (byte)(_state.Isr | (_state.Irr & ~_state.Elcr));
        _single = (value & 2) != 0;
        _state.Init4 = (byte)(value & 1);
        _state.InitState = 1;

        // The edge sense is reset: a line has to go low and high again, level-triggered inputs go on requesting.
        _state.LastIrr = 0;
        _state.Irr &= _state.Elcr;
        _state.Imr = 0;
        _state.Isr = 0;
        _state.PriorityAdd = 0;
        _state.SpecialMask = 0;
        _state.ReadRegSelect = 0;
        _state.Poll = 0;
        if (_state.Init4 == 0)
        {
            _state.SpecialFullyNestedMode = 0;
            _state.AutoEoi = 0;
        }
    }

    private void WriteOcw2(byte value)
    {
        int irq = value & 7;
        switch (value >> 5)
        {
            case 0:
                _state.RotateOnAutoEoi = 0;
                break;
            case 4:
                _state.RotateOnAutoEoi = 1;
                break;
            case 1:
                EndHighest(rotate: false);
                break;
            case 5:
                EndHighest(rotate: true);
                break;
            case 3:
                End(irq);
                break;
            case 6:
                _state.PriorityAdd = (byte)((irq + 1) & 7);
                break;
            case 7:
                _state.PriorityAdd = (byte)((irq + 1) & 7);
                End(irq);
                break;
        }
    }

    private void WriteOcw3(byte value)
    {
        if ((value & 0x04) != 0)
        {
            _state.Poll = 1;
        }

        if ((value & 0x02) != 0)
        {
            _state.ReadRegSelect = (byte)(value & 1);
        }

        if ((value & 0x40) != 0)
        {
            _state.SpecialMask = (byte)((value >> 5) & 1);
        }
    }

    /// <summary>Non-specific EOI; in special mask mode it passes over masked inputs.</summary>
    private void EndHighest(bool rotate)
    {
        byte candidates = _state.SpecialMask != 0 ? (byte)(_state.Isr & ~_state.Imr) : _state.Isr;
        int priority = HighestPriority(candidates);
        if (priority == 8)
        {
            return;
        }

        int irq = (priority + _state.PriorityAdd) & 7;
        if (rotate)
        {
            _state.PriorityAdd = (byte)((irq + 1) & 7);
        }

        End(irq);
    }

    private void End(int irq)
    {
        byte bit = (byte)(1 << irq);
        if ((_state.Isr & bit) != 0)
        {
            _state.Isr &= (byte)~bit;
            _finished |= bit;
        }
    }

    /// <summary>Priority (0 highest) of the most urgent input in a set, 8 for none.</summary>
    private int HighestPriority(byte inputs)
    {
        if (inputs == 0)
        {
            return 8;
        }

        uint rotated = ((uint)inputs >> _state.PriorityAdd) | ((uint)inputs << (8 - _state.PriorityAdd));
        return BitOperations.TrailingZeroCount(rotated & 0xFF);
    }
}
