using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Akvam.Isa.Tests.Translator;

/// <summary>
/// Makes programs of 16- or 32-bit code that end: counted loops, calls of every kind, forward branches, the stack in both sizes, addresses of both sizes in all segments;
/// now and then an access that faults. EBX and EBP point at data, EDI counts loops; EAX, ECX, EDX and ESI are free. Of addresses only as much is used as 16 bits hold.
/// </summary>
internal sealed class SegmentedGenerator
{
    private static readonly AssemblerRegister32[] s_r32 = [eax, ecx, edx, esi];
    private static readonly AssemblerRegister16[] s_r16 = [ax, cx, dx, si];
    private static readonly AssemblerRegister8[] s_r8 = [al, cl, dl, ah, ch, dh];
    private static readonly AssemblerRegisterXMM[] s_xmm = [xmm0, xmm1, xmm7];
    private readonly Assembler _a;
    private readonly Random _random;
    private readonly int _bits;
    private readonly uint _address;
    private bool _ret16;

    private SegmentedGenerator(int seed, int bits, uint address)
    {
        _random = new Random(seed);
        _bits = bits;
        _address = address;
        _a = new Assembler(bits);
    }

    public static byte[] Make(int seed, int bits, uint rip)
    {
        // The second time with the address of the function.
        new SegmentedGenerator(seed, bits, 0).Make(rip, out uint address);
        return new SegmentedGenerator(seed, bits, address).Make(rip, out _);
    }

    private byte[] Make(uint rip, out uint address)
    {
        Label function = _a.CreateLabel(), end = _a.CreateLabel();
        _ret16 = _random.Next(_bits == 16 ? 2 : 8) == 0;
        int parts = _random.Next(2, 6);
        for (int n = 0; n < parts; n++)
        {
            Loop(function);
        }

        _a.jmp(end);
        _a.Label(ref function);
        Straight(_random.Next(1, 8));
        Frame();
        _a.AddInstruction(Return());
        _a.nop();
        _a.Label(ref end);
        _a.hlt();
        var writer = new ProgramGenerator.ByteWriter();
        AssemblerResult result = _a.Assemble(writer, rip, BlockEncoderOptions.ReturnNewInstructionOffsets);
        address = (uint)result.GetLabelRIP(function);
        return writer.Bytes;
    }

    private Instruction Return()
    {
        bool release = _random.Next(6) == 0;
        return release
            ? Instruction.Create(_ret16 ? Code.Retnw_imm16 : Code.Retnd_imm16, 4)
            : Instruction.Create(_ret16 ? Code.Retnw : Code.Retnd);
    }

    /// <summary>PUSH and LEAVE or POP, with something between them.</summary>
    private void Frame()
    {
        switch (_random.Next(3))
        {
            case 0:
                _a.push(ebp);
                _a.mov(ebp, esp);
                Straight(1);
                _a.AddInstruction(Instruction.Create(Code.Leaved));
                break;
            case 1:
                _a.push(si);
                Straight(2);
                _a.pop(cx);
                break;
            default:
                _a.push(edx);
                Straight(2);
                _a.pop(edx);
                break;
        }
    }

    private void Loop(Label function)
    {
        Label again = _a.CreateLabel(), skip = _a.CreateLabel();
        _a.mov(edi, _random.Next(1, 30));
        _a.Label(ref again);
        Straight(_random.Next(1, 12));
        Jcc(skip);
        Straight(_random.Next(1, 6));
        if (_random.Next(2) == 0)
        {
            Call(function);
        }

        _a.Label(ref skip);
        Straight(_random.Next(1, 4));
        switch (_random.Next(4))
        {
            case 0:
                _a.dec(di);
                break;
            default:
                _a.dec(edi);
                break;
        }

        if (_random.Next(3) == 0)
        {
            _a.mov(eax, __dword_ptr[ebx + 16]);
        }

        _a.jnz(again);
    }

    /// <summary>The function returns with 16 or 32 bits, and is called so.</summary>
    private void Call(Label function)
    {
        int kind = _random.Next(3);
        if (kind == 0)
        {
            // Iced's assembler has the size of the code only.
            if (_ret16 == (_bits == 16))
            {
                _a.call(function);
            }
            else
            {
                _a.AddInstruction(Instruction.CreateBranch(_ret16 ? Code.Call_rel16 : Code.Call_rel32_32, function.Id));
            }

            return;
        }

        _a.mov(esi, _address);
        Invoke(kind);
    }

    private void Invoke(int kind)
    {
        if (kind == 1)
        {
            _a.AddInstruction(Instruction.Create(_ret16 ? Code.Call_rm16 : Code.Call_rm32, _ret16 ? Register.SI : Register.ESI));
            return;
        }

        _a.mov(__dword_ptr[ebx + 8], esi);
        _a.AddInstruction(Instruction.Create(_ret16 ? Code.Call_rm16 : Code.Call_rm32, new MemoryOperand(Register.EBX, 8)));
    }

    private void Straight(int count)
    {
        for (int n = 0; n < count; n++)
        {
            One();
        }
    }

    private T Pick<T>(T[] from) => from[_random.Next(from.Length)];

    private AssemblerMemoryOperand Memory()
    {
        AssemblerMemoryOperandFactory f = _random.Next(10) switch
        {
            0 => __.es,
            1 => __.fs,
            2 => __.ss,
            3 => __.cs,
            _ => __,
        };
        return _random.Next(9) switch
        {
            0 => f[ebx + _random.Next(0, 4000)],
            1 => f[ebp + _random.Next(-800, 2000)],
            2 => f[ebx + (edi * 4) + _random.Next(0, 1000)],
            3 => f[ebp + (edi * 8) - _random.Next(0, 100)],
            4 => f[bx + _random.Next(0, 4000)],
            5 => f[bp + di + _random.Next(0, 100)],
            6 => f[bx + di],
            7 => f[esp - _random.Next(8, 100)],
            _ => _bits == 32 ? f[0x2_0000 + _random.Next(0, 4000)] : f[_random.Next(0, 4000)],
        };
    }

    private void One()
    {
        switch (_random.Next(34))
        {
            case 0:
                _a.add(Pick(s_r32), Pick(s_r32));
                break;
            case 1:
                _a.adc(Pick(s_r16), Pick(s_r16));
                break;
            case 2:
                _a.sbb(Pick(s_r16), (short)_random.Next(-20000, 20000));
                break;
            case 3:
                _a.sub(Pick(s_r8), (sbyte)_random.Next(-128, 128));
                break;
            case 4:
                _a.cmp(Pick(s_r32), _random.Next());
                break;
            case 5 or 6:
                _a.mov(Pick(s_r32), Memory());
                break;
            case 7 or 8:
                _a.mov(__dword_ptr[Memory()], Pick(s_r32));
                break;
            case 9:
                _a.add(__word_ptr[Memory()], Pick(s_r16));
                break;
            case 10:
                _a.adc(Pick(s_r16), Memory());
                break;
            case 11:
                _a.inc(Pick(s_r32));
                break;
            case 12:
                _a.dec(Pick(s_r16));
                break;
            case 13:
                _a.dec(__word_ptr[Memory()]);
                break;
            case 14:
                _a.movzx(Pick(s_r32), __byte_ptr[Memory()]);
                break;
            case 15:
                _a.movsx(Pick(s_r32), Pick(s_r16));
                break;
            case 16:
                Lea();
                break;
            case 17:
                _a.cmovb(Pick(s_r32), Memory());
                break;
            case 18:
                _a.setle(Pick(s_r8));
                break;
            case 19:
                _a.rol(Pick(s_r32), (byte)_random.Next(40));
                break;
            case 20:
                _a.mov(Pick(s_r8), Pick(s_r8));
                break;
            case 21:
                _a.xchg(Pick(s_r32), Pick(s_r32));
                break;
            case 22:
                _a.@lock.xadd(__dword_ptr[Memory()], Pick(s_r32));
                break;
            case 23:
                _a.shl(__dword_ptr[Memory()], cl);
                break;
            case 24:
                _a.add(al, (sbyte)_random.Next(-128, 128));
                break;
            case 25:
                _a.xor(_random.Next(2) == 0 ? eax : ecx, _random.Next());
                break;
            case 26:
                _a.add(ax, (short)_random.Next(-30000, 30000));
                break;
            case 27:
                Absolute();
                break;
            case 28:
                Stacked();
                break;
            case 29 or 30:
                Vector();
                break;
            case 31:
                Rare();
                break;
            default:
                _a.imul(Pick(s_r32), Pick(s_r32));
                break;
        }
    }

    private void Lea()
    {
        switch (_random.Next(4))
        {
            case 0:
                _a.lea(Pick(s_r32), __[bx + si + _random.Next(-1000, 1000)]);
                break;
            case 1:
                _a.lea(Pick(s_r16), __[bp + _random.Next(-1000, 1000)]);
                break;
            case 2:
                _a.lea(Pick(s_r16), __[Pick(s_r32) + (Pick(s_r32) * 4) + _random.Next(-1000, 1000)]);
                break;
            default:
                _a.lea(Pick(s_r32), __[Pick(s_r32) + (Pick(s_r32) * 2) + _random.Next()]);
                break;
        }
    }

    /// <summary>MOV with the address as an immediate, which the assembler does not choose.</summary>
    private void Absolute()
    {
        uint at = (uint)(_random.Next(0, 4000) + (_bits == 32 ? 0x2_0000 : 0));
        var memory = new MemoryOperand(at, _bits == 32 ? 4 : 2);
        _a.AddInstruction(_random.Next(6) switch
        {
            0 => Instruction.Create(Code.Mov_AL_moffs8, Register.AL, memory),
            1 => Instruction.Create(Code.Mov_AX_moffs16, Register.AX, memory),
            2 => Instruction.Create(Code.Mov_EAX_moffs32, Register.EAX, memory),
            3 => Instruction.Create(Code.Mov_moffs8_AL, memory, Register.AL),
            4 => Instruction.Create(Code.Mov_moffs16_AX, memory, Register.AX),
            _ => Instruction.Create(Code.Mov_moffs32_EAX, memory, Register.EAX),
        });
    }

    private void Stacked()
    {
        switch (_random.Next(8))
        {
            case 0:
                _a.AddInstruction(_random.Next(2) == 0 ? Instruction.Create(Code.Pushd_imm32, _random.Next()) : Instruction.Create(Code.Pushd_imm8, _random.Next(-128, 128)));
                _a.pop(Pick(s_r32));
                break;
            case 7:
                _a.AddInstruction(_random.Next(2) == 0 ? Instruction.Create(Code.Push_imm16, _random.Next(0x8000)) : Instruction.Create(Code.Pushw_imm8, _random.Next(-128, 128)));
                _a.pop(Pick(s_r16));
                break;
            case 1:
                _a.push(__dword_ptr[Memory()]);
                _a.pop(Pick(s_r32));
                break;
            case 2:
                _a.push(__word_ptr[Memory()]);
                _a.pop(Pick(s_r16));
                break;
            case 3:
                _a.push(esp);
                _a.pop(esi);
                break;
            case 4:
                _a.push(sp);
                _a.pop(sp);
                break;
            case 5:
                _a.pushfd();
                _a.pop(ecx);
                break;
            default:
                _a.pushad();
                _a.popad();
                break;
        }
    }

    private void Vector()
    {
        switch (_random.Next(9))
        {
            case 0:
                _a.movups(Pick(s_xmm), Memory());
                break;
            case 1:
                _a.movups(Memory(), Pick(s_xmm));
                break;
            case 2:
                _a.paddd(Pick(s_xmm), Pick(s_xmm));
                break;
            case 3:
                _a.movd(Pick(s_r32), Pick(s_xmm));
                break;
            case 4:
                _a.movd(Pick(s_xmm), Pick(s_r32));
                break;
            case 5:
                _a.paddb(Pick(s_xmm), __xmmword_ptr[ebx + (_random.Next(0, 100) * 8)]);
                break;
            case 6:
                _a.fild(__dword_ptr[Memory()]);
                _a.fistp(__dword_ptr[Memory()]);
                break;
            case 7:
                _a.fld1();
                _a.fstp(__dword_ptr[Memory()]);
                break;
            default:
                _a.cvtsi2sd(Pick(s_xmm), Pick(s_r32));
                break;
        }
    }

    private void Rare()
    {
        switch (_random.Next(12))
        {
            case 0:
                _a.cbw();
                break;
            case 1:
                _a.cwde();
                break;
            case 2:
                _a.cwd();
                break;
            case 3:
                _a.cdq();
                break;
            case 4:
                _a.bswap(Pick(s_r32));
                break;
            case 5:
                _a.mov(Pick(s_r32), __dword_ptr[Pick(s_r32)]);
                break;
            case 6:
                // ADD r/m8, imm8 by its other opcode.
                _a.db(0x82, (byte)(0xC0 | _random.Next(3)), 5);
                break;
            case 7:
                _a.mov(eax, ds);
                break;
            case 8:
                _a.mul(Pick(s_r16));
                break;
            case 9:
                _a.daa();
                break;
            case 10:
                Label next = _a.CreateLabel();
                _a.mov(ecx, 2);
                _a.Label(ref next);
                _a.nop();
                _a.loop(next);
                break;
            default:
                _a.bt(Pick(s_r32), Pick(s_r32));
                break;
        }
    }

    private void Jcc(Label target)
    {
        switch (_random.Next(5))
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
                _a.ja(target);
                break;
            default:
                _a.jns(target);
                break;
        }
    }
}
