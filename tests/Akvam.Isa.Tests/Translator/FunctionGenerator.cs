using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Isa.Tests.Translator;

/// <summary>
/// A program of many functions, spread over as many pages as there is room for, that call one another and, if it <c>changes</c>, one another's constants; its main loop
/// calls a few of them all the time, and others at random.
/// </summary>
internal sealed class FunctionGenerator(Random random, int functions, int often, bool changes)
{
    public const ulong Main = 0x1_0000, Table = 0x1_8000, Data = 0x1_A000, First = 0x2_0000, Stack = 0xF_8000;
    private const int MostDistance = 40;

    /// <summary>Bytes from one function to the next.</summary>
    public int Stride { get; } = (int)((Stack - 0x8000 - First) / (ulong)functions) & ~63;

    public ulong AddressOf(int function) => First + ((ulong)function * (ulong)Stride);

    /// <summary>Puts it into memory; RSP, R12 and RBP have to be what <see cref="Stack"/>, chance and the number of rounds say.</summary>
    public void Write(Span<byte> memory)
    {
        Put(memory, Main, WriteMain);
        for (int n = 0; n < functions; n++)
        {
            int function = n;
            BitConverter.TryWriteBytes(memory[((int)Table + (8 * n))..], AddressOf(n));
            Put(memory, AddressOf(n), a => WriteFunction(a, function));
        }
    }

    private static void Put(Span<byte> memory, ulong address, Action<Assembler> write) => Assemble.Code64(address, write).CopyTo(memory[(int)address..]);

    private void WriteMain(Assembler a)
    {
        Label again = a.CreateLabel();
        a.Label(ref again);
        a.imul(r12, r12, 0x5DEE_CE65);
        a.add(r12, 11);
        a.mov(rsi, r12);
        a.shr(rsi, 24);
        a.and(esi, functions - 1);
        a.call(__qword_ptr[(rsi * 8) + (int)Table]);
        for (int n = 0; n < often; n++)
        {
            a.call(AddressOf(n * (functions / often)));
        }

        // The stack moves, so that what one function pushes is now in one page and now in two.
        a.mov(rsp, Stack);
        a.mov(rsi, r12);
        a.and(esi, 0xFF8);
        a.sub(rsp, rsi);
        a.dec(ebp);
        a.jnz(again);
        a.hlt();
    }

    private void WriteFunction(Assembler a, int n)
    {
        Label over = a.CreateLabel(), again = a.CreateLabel();

        // Its constant is the four bytes behind the first one.
        a.add(eax, random.Next());
        a.push(rbx);
        a.push(rbp);
        a.push(r13);
        a.mov(__[rsp - 40], rax);
        a.add(__[rsp - 32], rdx);
        Straight(a, random.Next(1, 5));
        a.test(al, (sbyte)(1 << random.Next(3)));
        a.jz(over);
        Straight(a, random.Next(1, 4));
        if (random.Next(2) == 0 && changes)
        {
            a.inc(__dword_ptr[AddressOf(random.Next(functions)) + 1]);
        }

        a.Label(ref over);
        if (random.Next(3) == 0)
        {
            a.mov(ebx, random.Next(1, 4));
            a.Label(ref again);
            Straight(a, 2);
            a.dec(ebx);
            a.jnz(again);
        }

        int next = n + random.Next(1, MostDistance);
        if (next < functions)
        {
            switch (random.Next(5))
            {
                case 0:
                    a.call(AddressOf(next));
                    break;
                case 1:
                    a.call(__qword_ptr[(int)Table + (8 * next)]);
                    break;
                case 2:
                    a.pop(r13);
                    a.pop(rbp);
                    a.pop(rbx);
                    a.jmp(AddressOf(next));
                    return;
            }
        }

        a.add(rdx, __[rsp - 8]);
        a.pop(r13);
        a.pop(rbp);
        a.pop(rbx);
        a.ret();
    }

    private void Straight(Assembler a, int count)
    {
        for (int n = 0; n < count; n++)
        {
            switch (random.Next(8))
            {
                case 0:
                    a.lea(rdx, __[rdx + (rax * 4) + random.Next(1000)]);
                    break;
                case 1:
                    a.xor(__dword_ptr[Data + (ulong)(random.Next(1000) * 4)], eax);
                    break;
                case 2:
                    a.adc(r8, __[Data + (ulong)(random.Next(500) * 8)]);
                    break;
                case 3:
                    a.ror(rax, (byte)random.Next(1, 63));
                    break;
                case 4:
                    a.sbb(r9, rdx);
                    break;
                case 5:
                    a.pause();
                    break;
                case 6:
                    a.paddd(xmm1, __[Data]);
                    break;
                default:
                    a.add(rax, r9);
                    break;
            }
        }
    }
}
