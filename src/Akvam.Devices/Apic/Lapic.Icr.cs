namespace Akvam.Devices;

/// <content>Sending: the interrupt command register [SDM3 10.6.1, 10.12.9].</content>
public sealed partial class Lapic
{
    private const uint IcrBusy = 1 << 12;
    private const uint IcrAssert = 1 << 14;

    /// <summary>What an x2APIC ICR write must leave zero: bits 31:20, 17:16, 13 [SDM3 Figure 10-28].</summary>
    private const uint IcrReserved = 0xFFF3_2000;

    /// <summary>The whole ICR: destination in the upper half.</summary>
    private ulong Icr => Get(LapicRegister.IcrLow) | ((ulong)Get(LapicRegister.IcrHigh) << 32);

    private bool WriteX2ApicIcr(ulong value)
    {
        if ((value & IcrReserved) != 0)
        {
            return false;
        }

        Set(LapicRegister.IcrHigh, (uint)(value >> 32));
        WriteIcrLow((uint)value);
        return true;
    }

    private void WriteIcrLow(uint value)
    {
        // Delivery is immediate, so the delivery status always reads idle.
        value &= ~IcrBusy;
        Set(LapicRegister.IcrLow, value);
        uint high = Get(LapicRegister.IcrHigh);
        bool wide = IsX2Apic;
        Send((value >> 18) & 3, new ApicMessage
        {
            Destination = wide ? high : high >> 24,
            Mode = (DeliveryMode)((value >> 8) & 7),
            Vector = (byte)value,
            Logical = (value & (1 << 11)) != 0,
            LevelTriggered = (value & (1 << 15)) != 0,
            Assert = (value & IcrAssert) != 0,
            Wide = wide,
        });
    }

    private void WriteSelfIpi(byte vector) => Send(1, new ApicMessage
    {
        Destination = InitialId,
        Mode = DeliveryMode.Fixed,
        Vector = vector,
        Assert = true,
    });

    private void Send(uint shorthand, in ApicMessage message)
    {
        switch (message.Mode)
        {
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority when message.Vector < 16:
                ReportError(LapicErrors.SendIllegalVector);
                return;
            case DeliveryMode.Reserved or DeliveryMode.ExtInt:
                return;
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority:
                // Trigger mode and level mean something for INIT only; an IPI is an edge [SDM3 10.6.1, Table 10-3].
                Route(shorthand, message with { LevelTriggered = false, Assert = true });
                return;
            default:
                Route(shorthand, message);
                return;
        }
    }

    private void Route(uint shorthand, in ApicMessage message)
    {
        switch (shorthand)
        {
            case 0:
                _bus.Send(message);
                break;
            case 1:
                Accept(message.Mode, message.Vector, message.Assert, message.LevelTriggered);
                break;
            case 2:
                _bus.SendToAll(message, except: null);
                break;
            default:
                _bus.SendToAll(message, except: this);
                break;
        }
    }
}
