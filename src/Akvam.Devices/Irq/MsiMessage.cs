namespace Akvam.Devices;

/// <summary>A message signalled interrupt as written by a device: address and data [SDM3 10.11].</summary>
/// <param name="AddressLow">0xFEE in bits 31:20, destination 19:12, redirection hint 3, logical 2.</param>
/// <param name="AddressHigh">Bits 31:8 carry destination bits 31:8 where the VM uses 32-bit ids; otherwise ignored.</param>
/// <param name="Data">Vector 7:0, delivery mode 10:8, level 14, trigger mode 15.</param>
public readonly record struct MsiMessage(uint AddressLow, uint AddressHigh, uint Data);
