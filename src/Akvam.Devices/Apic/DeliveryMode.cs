namespace Akvam.Devices;

/// <summary>Delivery mode field of the ICR, the LVTs, IOAPIC entries and MSI data, bits 10:8 [SDM3 10.6.1].</summary>
public enum DeliveryMode : byte
{
    Fixed = 0,
    LowestPriority = 1,
    Smi = 2,
    Reserved = 3,
    Nmi = 4,
    Init = 5,
    Sipi = 6,
    ExtInt = 7,
}
