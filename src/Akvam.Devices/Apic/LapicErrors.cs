namespace Akvam.Devices;

/// <summary>Bits of the error status register [SDM3 10.5.3].</summary>
[Flags]
internal enum LapicErrors : uint
{
    SendIllegalVector = 1 << 5,
    ReceiveIllegalVector = 1 << 6,
    IllegalRegisterAddress = 1 << 7,
}
