using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Isa.Tests.Translator;

/// <summary>
/// Makes programs that end: blocks of integer instructions, counted loops, calls and forward branches; now and then an access that faults.
/// RSP is the stack, RBX, RBP and R13 point at data, R14 counts loops; the others are free.
/// </summary>
internal sealed class ProgramGenerator(Random random, ulong rip, ulong data, VectorGenerator? vectors = null)
{
    private static readonly AssemblerRegister64[] s_r64 = [rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11, r12, r15];
    private static readonly AssemblerRegister32[] s_r32 = [eax, ecx, edx, esi, edi, r8d, r9d, r10d, r11d, r12d, r15d];
    private static readonly AssemblerRegister16[] s_r16 = [ax, cx, dx, si, di, r8w, r9w, r10w, r11w, r12w, r15w];
    private static readonly AssemblerRegister8[] s_r8 = [al, cl, dl, sil, dil, r8b, r9b, r12b, r15b];
    private static readonly AssemblerRegister8[] s_high = [ah, ch, dh, al, cl, dl];
    private readonly Assembler _a = new(64);

    public byte[] Make()
    {
        Label function = _a.CreateLabel(), end = _a.CreateLabel(), over = _a.CreateLabel();
        int parts = random.Next(2, 6);
        for (int n = 0; n < parts; n++)
        {
            Loop(function);
        }

        _a.jmp(end);
        _a.Label(ref function);
        Straight(random.Next(1, 8));
        _a.push(r12);
        Straight(random.Next(1, 3));
        _a.pop(r12);
        _a.ret();
        _a.Label(ref over);
        _a.nop();
        _a.Label(ref end);
        _a.hlt();
        var writer = new ByteWriter();
        _a.Assemble(writer, rip);
        return writer.Bytes;
    }

    private void Loop(Label function)
    {
        Label again = _a.CreateLabel(), skip = _a.CreateLabel();
        _a.mov(r14d, random.Next(1, 30));
        _a.Label(ref again);
        Straight(random.Next(1, 12));
        Jcc(skip);
        Straight(random.Next(1, 6));
        if (random.Next(2) == 0)
        {
            switch (random.Next(3))
            {
                case 0:
                    _a.lea(r15, __[function]);
                    _a.call(r15);
                    break;
                case 1:
                    _a.lea(rax, __[function]);
                    _a.mov(__qword_ptr[rbp + 8], rax);
                    _a.call(__qword_ptr[rbp + 8]);
                    break;
                default:
                    _a.call(function);
                    break;
            }
        }

        _a.Label(ref skip);
        Straight(random.Next(1, 4));
        _a.dec(r14d);
        if (random.Next(3) == 0)
        {
            // Flags and a memory access between the decrement and its branch.
            _a.mov(rax, __[rbx + 16]);
        }

        _a.jnz(again);
    }

    private void Straight(int count)
    {
        for (int n = 0; n < count; n++)
        {
            if (vectors != null && random.Next(3) != 0)
            {
                vectors.One(_a);
            }
            else
            {
                One();
            }
        }
    }

    private T Pick<T>(T[] from) => from[random.Next(from.Length)];

    private AssemblerMemoryOperand Memory() => random.Next(6) switch
    {
        0 => __[rbx + random.Next(0, 4000)],
        1 => __[r13 + random.Next(-2000, 4000)],
        2 => __[rbp - random.Next(0, 100)],
        3 => __[rsp - random.Next(8, 100)],
        4 => __[rbx + (r14 * 4) + random.Next(0, 1000)],
        _ => __[r13 + (r14 * 8) + random.Next(0, 1000)],
    };

    private void One()
    {
        switch (random.Next(29))
        {
            case 23:
                Divide();
                break;
            case 24 or 25 or 26:
                Undefined();
                break;
            case 0:
                _a.AddInstruction(Alu(s_r64));
                break;
            case 1:
                _a.add(Pick(s_r32), Pick(s_r32));
                break;
            case 2:
                _a.adc(Pick(s_r64), Pick(s_r64));
                break;
            case 3:
                _a.sbb(Pick(s_r16), (short)random.Next(-20000, 20000));
                break;
            case 4:
                _a.sub(Pick(s_r8), (sbyte)random.Next(-128, 128));
                break;
            case 5:
                _a.cmp(Pick(s_r32), random.Next());
                break;
            case 6:
                _a.mov(Pick(s_r64), Memory());
                break;
            case 7:
                _a.mov(__qword_ptr[Memory()], Pick(s_r64));
                break;
            case 8:
                _a.add(__dword_ptr[Memory()], Pick(s_r32));
                break;
            case 9:
                _a.adc(Pick(s_r16), Memory());
                break;
            case 10:
                _a.inc(Pick(s_r64));
                break;
            case 11:
                _a.dec(__word_ptr[Memory()]);
                break;
            case 12:
                _a.movzx(Pick(s_r32), __byte_ptr[Memory()]);
                break;
            case 13:
                _a.movsx(Pick(s_r64), Pick(s_r16));
                break;
            case 14:
                _a.lea(Pick(s_r64), __[Pick(s_r64) + (Pick(s_r64) * 4) + random.Next(-1000, 1000)]);
                break;
            case 15:
                _a.cmovb(Pick(s_r32), Pick(s_r32));
                break;
            case 16:
                _a.setle(Pick(s_r8));
                break;
            case 17:
                _a.rol(Pick(s_r32), 1);
                break;
            case 18:
                _a.mov(Pick(s_high), Pick(s_high));
                break;
            case 19:
                _a.xchg(Pick(s_r64), Pick(s_r64));
                break;
            case 20:
                _a.@lock.xadd(__qword_ptr[Memory()], Pick(s_r64));
                break;
            case 21:
                _a.cmovg(Pick(s_r64), Memory());
                break;
            case 22:
                Rare();
                break;
            default:
                _a.neg(Pick(s_r8));
                break;
        }
    }

    private Instruction Alu(AssemblerRegister64[] from)
    {
        Code code = Pick([Code.Add_rm64_r64, Code.Sub_r64_rm64, Code.Cmp_rm64_r64, Code.Adc_r64_rm64, Code.Sbb_rm64_r64]);
        return Instruction.Create(code, Pick(from), Pick(from));
    }

    /// <summary>What leaves flags undefined.</summary>
    private void Undefined()
    {
        switch (random.Next(18))
        {
            case 0:
                _a.and(Pick(s_r32), Pick(s_r32));
                break;
            case 1:
                _a.test(__byte_ptr[Memory()], Pick(s_r8));
                break;
            case 2:
                _a.shl(Pick(s_r64), (byte)random.Next(70));
                break;
            case 3:
                _a.shr(__dword_ptr[Memory()], (byte)random.Next(40));
                break;
            case 4:
                _a.sar(Pick(s_r16), cl);
                break;
            case 5:
                _a.shl(__qword_ptr[Memory()], cl);
                break;
            case 6:
                _a.shr(cl, cl);
                break;
            case 7:
                _a.imul(Pick(s_r64), Memory());
                break;
            case 8:
                _a.imul(Pick(s_r32), Pick(s_r32), random.Next());
                break;
            case 9:
                _a.mul(Pick(s_r64));
                break;
            case 10:
                _a.imul(__word_ptr[Memory()]);
                break;
            case 11:
                _a.bsf(Pick(s_r32), Memory());
                break;
            case 12:
                _a.bsr(Pick(s_r64), Pick(s_r64));
                break;
            case 13:
                _a.shld(Pick(s_r32), Pick(s_r32), cl);
                break;
            case 14:
                _a.shrd(__word_ptr[Memory()], Pick(s_r16), (byte)random.Next(40));
                break;
            case 15:
                _a.rcl(Pick(s_r8), (byte)random.Next(40));
                break;
            case 16:
                _a.ror(Pick(s_r32), (byte)random.Next(40));
                break;
            default:
                _a.btc(Pick(s_r64), Pick(s_r64));
                break;
        }
    }

    /// <summary>Mostly of dividends that can be divided.</summary>
    private void Divide()
    {
        bool signed = random.Next(2) == 0, wide = random.Next(2) == 0;
        bool asItIs = random.Next(12) == 0;
        if (!asItIs && !signed)
        {
            _a.xor(edx, edx);
        }
        else if (!asItIs && wide)
        {
            _a.cqo();
        }
        else if (!asItIs)
        {
            _a.cdq();
        }

        int by = random.Next(s_r64.Length);
        if (random.Next(4) != 0)
        {
            _a.bts(s_r64[by], (byte)random.Next(32));
        }

        switch ((signed ? 4 : 0) | (wide ? 2 : 0) | random.Next(2))
        {
            case 0:
                _a.div(s_r32[by]);
                break;
            case 1:
                _a.div(__dword_ptr[Memory()]);
                break;
            case 2:
                _a.div(s_r64[by]);
                break;
            case 3:
                _a.div(__qword_ptr[Memory()]);
                break;
            case 4:
                _a.idiv(s_r32[by]);
                break;
            case 5:
                _a.idiv(__dword_ptr[Memory()]);
                break;
            case 6:
                _a.idiv(s_r64[by]);
                break;
            default:
                _a.idiv(__qword_ptr[Memory()]);
                break;
        }
    }

    private void Rare()
    {
        switch (random.Next(12))
        {
            case 0:
                _a.pushfq();
                _a.pop(Pick(s_r64));
                break;
            case 1:
                _a.lahf();
                break;
            case 2:
                _a.mov(Pick(s_r64), (ulong)random.NextInt64());
                break;
            case 3:
                _a.bswap(Pick(s_r64));
                break;
            case 4:
                _a.movzx(ecx, ah);
                break;
            case 5:
                _a.push(random.Next());
                _a.pop(Pick(s_r64));
                break;
            case 6:
                _a.stc();
                break;
            case 7:
                _a.cmc();
                break;
            case 8:
                _a.mov(rax, __[(long)data + 64]);
                break;
            case 9:
                _a.lea(Pick(s_r16), __[rbx + 17]);
                break;
            case 10:
                // Faults, or not: the handler is a HLT, and the state before the access is compared.
                _a.mov(Pick(s_r64), __[Pick(s_r64)]);
                break;
            default:
                _a.cdq();
                break;
        }
    }

    private void Jcc(Label target)
    {
        switch (random.Next(6))
        {
            case 0:
                _a.jb(target);
                break;
            case 1:
                _a.jle(target);
                break;
            case 2:
                _a.jo(target);
                break;
            case 3:
                _a.jp(target);
                break;
            case 4:
                _a.ja(target);
                break;
            default:
                _a.jns(target);
                break;
        }
    }

    internal sealed class ByteWriter : CodeWriter
    {
        private readonly List<byte> _bytes = [];

        public byte[] Bytes => [.. _bytes];

        public override void WriteByte(byte value) => _bytes.Add(value);
    }
}
