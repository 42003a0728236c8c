using System.Buffers.Binary;

namespace Akvam.Devices;

/// <content>The xAPIC register page [SDM3 10.4.1].</content>
public sealed partial class Lapic
{
    /// <summary>A guest read in the register page.</summary>
    /// <param name="offset">Offset in the page.</param>
    /// <param name="data">Filled; bytes past a register's four read as zero.</param>
    public void ReadMmio(int offset, Span<byte> data)
    {
        uint value = ReadXApic(offset & 0xFF0);
        int start = offset & 0xF;
        if (start == 0 && data.Length == sizeof(uint))
        {
            data[3] = (byte)(value >> 24);
            data[2] = (byte)(value >> 16);
            data[1] = (byte)(value >> 8);
            data[0] = (byte)value;
            return;
        }

        for (int i = 0; i < data.Length; i++)
        {
            data[i] = start + i < 4 ? (byte)(value >> ((start + i) * 8)) : (byte)0;
        }
    }

    /// <summary>A guest write in the register page. Only aligned 32-bit writes have an effect.</summary>
    public void WriteMmio(int offset, ReadOnlySpan<byte> data)
    {
        if (data.Length == 4 && (offset & 0xF) == 0)
        {
            WriteXApic(offset & 0xFF0, BinaryPrimitives.ReadUInt32LittleEndian(data));
        }
    }

    /// <summary>Reads one register of the page, 32 bits.</summary>
    public uint ReadXApic(int register)
    {
        if (IsCommonReadable(register)
            || register is LapicRegister.Apr or LapicRegister.Eoi or LapicRegister.Rrd or LapicRegister.Dfr or LapicRegister.IcrHigh)
        {
            return ReadRegister(register);
        }

        ReportError(LapicErrors.IllegalRegisterAddress);
        return 0;
    }

    /// <summary>Writes one register of the page, 32 bits. Read-only registers ignore it.</summary>
    public void WriteXApic(int register, uint value)
    {
        switch (register)
        {
            case LapicRegister.Id or LapicRegister.Tpr or LapicRegister.Eoi or LapicRegister.Ldr or LapicRegister.Dfr or LapicRegister.Svr
                or LapicRegister.Esr or LapicRegister.IcrLow or LapicRegister.IcrHigh or LapicRegister.InitialCount
                or LapicRegister.DivideConfiguration:
                WriteRegister(register, value);
                break;
            case LapicRegister.Apr or LapicRegister.Rrd:
                break;
            default:
                if (IsLvt(register))
                {
                    WriteRegister(register, value);
                }
                else if (!IsCommonReadable(register))
                {
                    ReportError(LapicErrors.IllegalRegisterAddress);
                }

                break;
        }
    }
}
