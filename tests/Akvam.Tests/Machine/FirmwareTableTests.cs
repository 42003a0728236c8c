using System.Text;
using Akvam.Machine.Firmware;

namespace Akvam.Tests.Machine;

public sealed class FirmwareTableTests
{
    private readonly ArrayMemory _memory = new(16);

    [Fact]
    public void EveryAcpiTableIsReachableAndSumsToZero()
    {
        ulong rsdp = AcpiTables.Write(_memory, cpus: 3, pmBase: 0x600);
        Assert.Equal("RSD PTR ", Encoding.ASCII.GetString(_memory.Slice(rsdp, 8)));
        AssertSum(rsdp, 20);
        AssertSum(rsdp, 36);
        ulong xsdt = _memory.U64(rsdp + 24), rsdt = _memory.U32(rsdp + 16);
        AssertTable(xsdt, "XSDT");
        AssertTable(rsdt, "RSDT");
        ulong fadt = _memory.U64(xsdt + 36), madt = _memory.U64(xsdt + 44);
        Assert.Equal((fadt, madt), (_memory.U32(rsdt + 36), _memory.U32(rsdt + 40)));
        AssertTable(fadt, "FACP");
        AssertTable(madt, "APIC");
        AssertTable(_memory.U64(fadt + 140), "DSDT");
        Assert.Equal(0x600u, _memory.U32(fadt + 56));
        Assert.Equal(0x604u, _memory.U32(fadt + 64));
        Assert.Equal(0u, _memory.U32(fadt + 48));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(300)]
    public void MadtListsEachProcessorOnce(int cpus)
    {
        ulong rsdp = AcpiTables.Write(_memory, cpus, 0x600);
        ulong madt = _memory.U64(_memory.U64(rsdp + 24) + 44);
        ulong end = madt + _memory.U32(madt + 4);
        var ids = new List<uint>();
        for (ulong at = madt + 44; at < end; at += _memory.Slice(at + 1, 1)[0])
        {
            byte type = _memory.Slice(at, 1)[0];
            if (type == 0)
            {
                ids.Add(_memory.Slice(at + 3, 1)[0]);
            }
            else if (type == 9)
            {
                ids.Add(_memory.U32(at + 4));
            }
        }

        Assert.Equal(Enumerable.Range(0, cpus).Select(i => (uint)i), ids);
    }

    [Fact]
    public void MpTableCountsItsEntries()
    {
        MpTable.Write(_memory, 2, 0x800F12, 0x1783_FBFF);
        Assert.Equal("_MP_", Encoding.ASCII.GetString(_memory.Slice(MpTable.FloatingPointer, 4)));
        AssertSum(MpTable.FloatingPointer, 16);
        ulong table = _memory.U32(MpTable.FloatingPointer + 4);
        int length = (ushort)_memory.U32(table + 4);
        AssertSum(table, length);
        int count = 0;
        ulong at = table + 44;
        for (; at < table + (ulong)length; count++)
        {
            at += _memory.Slice(at, 1)[0] == 0 ? 20u : 8u;
        }

        Assert.Equal(table + (ulong)length, at);
        Assert.Equal((ushort)(_memory.U32(table + 34) & 0xFFFF), count);
    }

    private void AssertTable(ulong address, string signature)
    {
        Assert.Equal(signature, Encoding.ASCII.GetString(_memory.Slice(address, 4)));
        AssertSum(address, (int)_memory.U32(address + 4));
    }

    private void AssertSum(ulong address, int length)
    {
        byte sum = 0;
        foreach (byte b in _memory.Slice(address, length))
        {
            sum += b;
        }

        Assert.Equal(0, sum);
    }
}
