using Akvam.Cpu;
using Akvam.Cpu.Memory;

namespace Akvam.Isa.Tests.Paging;

/// <summary>Memory slots by the thousand: found by address and number as by looking at all of them, and not paid for with every change.</summary>
/// <remarks>Valid because nobody touches the memory that it pretends to have.</remarks>
public sealed unsafe class ManySlotTests
{
    private const ulong Unit = 0x1000, Space = 40_000;
    private static readonly byte* s_host = (byte*)0x10_0000_0000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Slots_come_go_and_move(int seed)
    {
        using var group = new ProcessorGroup();
        PhysicalMemory memory = group.Memory;
        var random = new Random(seed);
        var model = new Dictionary<int, (ulong First, ulong Units)>();
        var owner = new int[Space + 64];
        Array.Fill(owner, -1);
        for (int n = 0; n < 12_000; n++)
        {
            // Growing first, shrinking in the end, so that pieces are divided and disappear.
            int id = random.Next(n < 8_000 ? 6_000 : 3_000);
            ulong first = (ulong)random.NextInt64((long)Space), units = (ulong)random.Next(1, 9);
            bool remove = n >= 8_000 ? random.Next(10) < 8 : random.Next(10) == 0;
            if (remove)
            {
                if (model.Remove(id, out (ulong First, ulong Units) old))
                {
                    Array.Fill(owner, -1, (int)old.First, (int)old.Units);
                    memory.SetSlot(0, id, 0, 0, null, false, false);
                }
            }
            else
            {
                int[] others = [.. owner[(int)first..(int)(first + units)].Where(o => o >= 0 && o != id).Distinct()];
                MemorySlot? found = memory.Slots(0).FindIn(first * Unit, units * Unit, but: id);
                Assert.Equal(others.Length > 0, found is not null);
                if (found is not null)
                {
                    Assert.Contains(found.Id, others);
                    continue;
                }

                if (model.Remove(id, out (ulong First, ulong Units) old))
                {
                    Array.Fill(owner, -1, (int)old.First, (int)old.Units);
                }

                model.Add(id, (first, units));
                Array.Fill(owner, id, (int)first, (int)units);
                memory.SetSlot(0, id, first * Unit, units * Unit, s_host + (first * Unit), false, false);
            }

            if (n % 1_000 == 999)
            {
                for (int unit = 0; unit < owner.Length; unit++)
                {
                    MemorySlot? slot = memory.Find(0, ((ulong)unit * Unit) + 0xFFF);
                    Assert.Equal(owner[unit], slot?.Id ?? -1);
                    Assert.True(slot is null || slot.Gpa == model[slot.Id].First * Unit);
                }
            }
        }
    }

    /// <summary>What a change allocates stands for what it copies.</summary>
    [Fact]
    public void A_change_does_not_copy_all_slots()
    {
        const int slots = 20_000, changes = 100;
        using var group = new ProcessorGroup();
        PhysicalMemory memory = group.Memory;
        for (int id = 0; id < slots; id++)
        {
            memory.SetSlot(0, id, (ulong)id * Unit, Unit, s_host, false, false);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < changes; i++)
        {
            memory.SetSlot(0, slots / 2, (slots + (ulong)(i & 1)) * Unit, Unit, s_host, false, false);
        }

        Assert.InRange((GC.GetAllocatedBytesForCurrentThread() - before) / changes, 0, slots);
    }
}
