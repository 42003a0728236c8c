namespace Akvam.Machine.Firmware;

/// <summary>Places tables one after the other in a range of guest memory.</summary>
internal sealed class TableWriter(IGuestMemory memory, ulong start, ulong end)
{
    private ulong _next = start;

    /// <summary>Copies a table to the next aligned address, which it returns.</summary>
    /// <exception cref="InvalidOperationException">The range is full, which only a wrong size of it can cause.</exception>
    public ulong Place(ReadOnlySpan<byte> table, ulong alignment = 16)
    {
        ulong address = (_next + alignment - 1) & ~(alignment - 1);
        if (address + (ulong)table.Length > end)
        {
            throw new InvalidOperationException("the firmware tables do not fit in their area");
        }

        memory.Write(address, table);
        _next = address + (ulong)table.Length;
        return address;
    }
}
