namespace Akvam.KvmTests.Smm;

/// <summary>A <see cref="Guest"/> whose address space 1 has memory of its own: 320 KiB at 0, code of the handler at SMBASE + 8000h.</summary>
internal static class SmmGuest
{
    public const ulong Handler = 0x3_8000, Size = 0x5_0000, Image = 0x3_FE00;

    /// <param name="code">The program, in real mode.</param>
    /// <param name="handler">The SMI handler.</param>
    /// <param name="irqchip">With interrupt controllers of KVM's.</param>
    /// <param name="options">Null: the usual ones.</param>
    public static Guest Create(ReadOnlySpan<byte> code, ReadOnlySpan<byte> handler, bool irqchip = false, VmOptions? options = null)
    {
        var guest = new Guest(code, irqchip, options);
        guest.Vm.MapMemory(1 << 16, 0, guest.Vm.AllocateMemory(Size));
        guest.Vm.WriteMemory(Handler, handler, space: 1);
        return guest;
    }

    public static byte[] ReadSmram(Guest guest)
    {
        var data = new byte[Size];
        guest.Vm.ReadMemory(0, data, space: 1);
        return data;
    }
}
