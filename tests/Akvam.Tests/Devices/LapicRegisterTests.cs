using Akvam.Devices;

namespace Akvam.Tests.Devices;

/// <summary>The xAPIC page and its registers [SDM3 10.4].</summary>
public sealed class LapicRegisterTests
{
    private readonly ApicRig _rig = new();

    private Lapic Lapic => _rig.Lapic;

    [Theory]
    [InlineData(LapicRegister.Id, 0xFF00_0000u)]
    [InlineData(LapicRegister.Tpr, 0xFFu)]
    [InlineData(LapicRegister.Ldr, 0xFF00_0000u)]
    [InlineData(LapicRegister.Dfr, 0xFFFF_FFFFu)]
    [InlineData(LapicRegister.Svr, 0x3FFu)]
    [InlineData(LapicRegister.IcrHigh, 0xFF00_0000u)]
    [InlineData(LapicRegister.LvtTimer, 0x700FFu)]
    [InlineData(LapicRegister.LvtThermal, 0x107FFu)]
    [InlineData(LapicRegister.LvtPmc, 0x107FFu)]
    [InlineData(LapicRegister.LvtLint0, 0x1A7FFu)]
    [InlineData(LapicRegister.LvtLint1, 0x1A7FFu)]
    [InlineData(LapicRegister.LvtError, 0x100FFu)]
    [InlineData(LapicRegister.InitialCount, 0u)]
    [InlineData(LapicRegister.DivideConfiguration, 0xBu)]
    public void Only_defined_bits_can_be_written(int register, uint expected)
    {
        // In the order of the rows the timer's LVT is still one-shot; the initial count of the 11b mode is ignored.
        if (register == LapicRegister.InitialCount)
        {
            Lapic.WriteXApic(LapicRegister.LvtTimer, 0x70000);
        }

        Lapic.WriteXApic(register, uint.MaxValue);
        Assert.Equal(expected, Lapic.ReadXApic(register));
    }

    [Theory]
    [InlineData(LapicRegister.Version)]
    [InlineData(LapicRegister.Ppr)]
    [InlineData(LapicRegister.Isr)]
    [InlineData(LapicRegister.Irr)]
    [InlineData(LapicRegister.CurrentCount)]
    public void Read_only_registers_ignore_writes(int register)
    {
        uint before = Lapic.ReadXApic(register);
        Lapic.WriteXApic(register, ~before);
        Assert.Equal(before, Lapic.ReadXApic(register));
        Lapic.WriteXApic(LapicRegister.Esr, 0);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Esr));
    }

    [Fact]
    public void DFR_reads_ones_below_the_model()
    {
        Lapic.WriteXApic(LapicRegister.Dfr, 0);
        Assert.Equal(0x0FFF_FFFFu, Lapic.ReadXApic(LapicRegister.Dfr));
    }

    [Fact]
    public void A_narrow_read_sees_part_of_the_register()
    {
        Span<byte> data = stackalloc byte[2];
        Lapic.ReadMmio(LapicRegister.Version + 1, data);
        Assert.Equal(0x05_00, data[0] | (data[1] << 8));
    }

    [Fact]
    public void Bytes_past_the_register_read_zero()
    {
        Span<byte> data = stackalloc byte[8];
        data.Fill(0xCC);
        Lapic.ReadMmio(LapicRegister.Svr, data);
        Assert.Equal([0xFF, 1, 0, 0, 0, 0, 0, 0], data.ToArray());
    }

    [Fact]
    public void An_aligned_dword_write_is_taken()
    {
        Lapic.WriteMmio(LapicRegister.Tpr, [0x20, 0, 0, 0]);
        Assert.Equal(0x20u, Lapic.ReadXApic(LapicRegister.Tpr));
    }

    [Theory]
    [InlineData(LapicRegister.Tpr, 1)]
    [InlineData(LapicRegister.Tpr, 2)]
    [InlineData(LapicRegister.Tpr, 8)]
    [InlineData(LapicRegister.Tpr + 1, 4)]
    public void Other_writes_are_ignored(int offset, int length)
    {
        // [SDM3 10.4.1]: all accesses are 32 bits wide and aligned to 16.
        byte[] data = new byte[length];
        Array.Fill(data, (byte)0x40);
        Lapic.WriteMmio(offset, data);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.Tpr));
    }

    [Fact]
    public void Software_disable_masks_every_entry_and_keeps_it_masked()
    {
        // [SDM3 10.4.7.2]
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x30);
        Lapic.WriteXApic(LapicRegister.LvtLint1, 0x400);
        Lapic.WriteXApic(LapicRegister.Svr, 0xFF);
        Assert.Equal(0x10030u, Lapic.ReadXApic(LapicRegister.LvtTimer));
        Assert.Equal(0x10400u, Lapic.ReadXApic(LapicRegister.LvtLint1));
        Lapic.WriteXApic(LapicRegister.LvtTimer, 0x31);
        Assert.Equal(0x10031u, Lapic.ReadXApic(LapicRegister.LvtTimer));
    }

    [Fact]
    public void CMCI_exists_only_where_it_is_offered()
    {
        Lapic.WriteXApic(LapicRegister.LvtCmci, 0x42);
        Assert.Equal(0u, Lapic.ReadXApic(LapicRegister.LvtCmci));
        Lapic.CmciAvailable = true;
        Assert.Equal(0x10000u, Lapic.ReadXApic(LapicRegister.LvtCmci));
        Lapic.WriteXApic(LapicRegister.LvtCmci, 0x42);
        Assert.Equal(0x42u, Lapic.ReadXApic(LapicRegister.LvtCmci));
    }

    [Fact]
    public void Reading_registers_allocates_nothing()
    {
        _rig.EnterX2Apic();
        ReadAll();
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReadAll();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void ReadAll()
        {
            Span<byte> data = stackalloc byte[4];
            for (int register = 0; register < 0x400; register += 0x10)
            {
                Lapic.ReadMmio(register, data);
                Lapic.TryReadMsr((uint)(0x800 + (register >> 4)), out _);
            }
        }
    }
}
